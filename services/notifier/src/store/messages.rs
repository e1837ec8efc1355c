//! Table `notifier.messages`: a queue with leases for each channel, as [`super::deliveries`]. What is new goes before what has
//! failed, so that news are told while a provider that was away takes back its backlog.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, LeadId, MessageId, SellerId};
use leadflow_notifier_domain::{Channel, MessageKind, Wishes};
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::suppressions::NewSuppression;

/// A message to be told.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Derived from what it tells of, the channel and whom.
    pub id: MessageId,
    /// The tenant; none for an administrator's.
    pub seller: Option<SellerId>,
    /// Whom it is to; none for somebody who is no buyer.
    pub buyer: Option<BuyerId>,
    /// How.
    pub channel: Channel,
    /// About what.
    pub kind: MessageKind,
    /// The lead that it is about.
    pub lead: Option<LeadId>,
    /// What is to be said.
    pub contents: Vec<u8>,
    /// Of no use after this.
    pub expires_at: DateTime<Utc>,
    /// When the lead was received that it tells of as sold.
    pub received_at: Option<DateTime<Utc>>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

/// Which message, for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageKey {
    /// Its id.
    pub id: MessageId,
    /// The tenant; none for an administrator's.
    pub seller: Option<SellerId>,
    /// Whom it is to; none for somebody who is no buyer.
    pub buyer: Option<BuyerId>,
    /// The lead that it is about.
    pub lead: Option<LeadId>,
    /// How.
    pub channel: Channel,
    /// About what; none: a kind that this release does not know.
    pub kind: Option<MessageKind>,
}

/// The buyer whom a message is to, as known when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressee {
    /// Of the buyer.
    pub company_name: String,
    /// Of the person.
    pub name: String,
    /// Empty: none.
    pub email: String,
    /// It is known to be his.
    pub email_verified: bool,
    /// E.164; empty: none.
    pub phone: String,
    /// What he wants to be told.
    pub wishes: Wishes,
    /// Since when he agrees to text messages.
    pub sms_agreed_at: Option<DateTime<Utc>>,
    /// Minutes after midnight, from and until; equal: none.
    pub quiet: (u32, u32),
    /// IANA name: his, or else his seller's; empty: neither is known.
    pub time_zone: String,
}

/// A message that somebody has a lease on.
#[derive(Debug, Clone)]
pub struct MessageJob {
    /// Which.
    pub key: MessageKey,
    /// In whose name; empty: the platform's, or not known yet.
    pub seller_name: String,
    /// Whom it is to; none for somebody who is no buyer, or not known yet.
    pub addressee: Option<Addressee>,
    /// What is to be said.
    pub contents: Vec<u8>,
    /// Attempts before this one.
    pub attempts_made: u32,
    /// Since when there is something to tell.
    pub created_at: DateTime<Utc>,
    /// Of no use after this.
    pub expires_at: DateTime<Utc>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Proves that this is still the one to record the result.
    pub lease: Uuid,
    /// Its provider may have it: whoever had it before did not record what came of it, or the answer was lost.
    pub may_be_sent: bool,
    /// Its provider has it, as it told itself.
    pub taken: Option<Taken>,
}

/// What a provider told of a message that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What it calls it.
    pub provider_id: String,
    /// Where it goes.
    pub recipient: String,
    /// What is paid for.
    pub units: u32,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageStatus {
    /// To be sent, or sent again.
    Waiting,
    /// Its provider has it.
    Sent,
    /// Its provider told that it arrived.
    Delivered,
    /// Its provider told that it did not.
    Bounced,
    /// Its provider does not take it.
    Refused,
    /// It was not sent while it was of use.
    Expired,
    /// Not sent, because the address is dead, nobody wants it, or nobody is there.
    Suppressed,
}

impl MessageStatus {
    /// As stored and as told.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Bounced => "BOUNCED",
            Self::Refused => "REFUSED",
            Self::Expired => "EXPIRED",
            Self::Suppressed => "SUPPRESSED",
        }
    }
}

/// A request that was made, or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttempt {
    /// When.
    pub started_at: DateTime<Utc>,
    /// For how long, in milliseconds.
    pub duration_ms: u32,
    /// Of the provider's answer; 0: none.
    pub status_code: u16,
}

/// What became of a job.
#[derive(Debug, Clone)]
pub struct MessageResult {
    /// Which.
    pub key: MessageKey,
    /// The token it was taken with.
    pub lease: Uuid,
    /// Attempts so far, this one included.
    pub attempts_made: u32,
    /// Where it stands now.
    pub status: MessageStatus,
    /// When to try again, if it still waits.
    pub due_at: Option<DateTime<Utc>>,
    /// What went wrong, in words without an address.
    pub error: String,
    /// Address or number, if it is to be kept.
    pub recipient: String,
    /// What its provider calls it.
    pub provider_id: Option<String>,
    /// What is paid for when it is sent.
    pub units: u32,
    /// Its provider may have it although this says no such thing.
    pub unsure: bool,
    /// Nothing is sent to its recipient any more.
    pub suppress: Option<NewSuppression>,
    /// The attempt that led to it, if one was made.
    pub attempt: Option<MessageAttempt>,
}

pub(super) fn column<'a, S, T>(rows: &'a [S], value: impl FnMut(&'a S) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// What others say, as PostgreSQL's text can hold it: with every character but NUL.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(super) fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Stores those that are new; how many they were. What tells of a lead that is masked is not stored.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(connection: &mut PgConnection, new: &[NewMessage], now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    // In the order of their ids: two batches with the same messages cannot deadlock.
    let mut new: Vec<&NewMessage> = new.iter().collect();
    new.sort_unstable_by_key(|message| message.id);
    new.dedup_by_key(|message| message.id);
    let done = sqlx::query(
        "INSERT INTO notifier.messages (message_id, seller_id, buyer_id, channel, kind, lead_id, contents, expires_at, \
           traceparent, received_at, status, due_at, created_at) \
         SELECT t.*, 'WAITING', $11, $11 \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::bytea[], \
                     $8::timestamptz[], $9::text[], $10::timestamptz[]) \
           AS t(message_id, seller_id, buyer_id, channel, kind, lead_id) \
         WHERE t.kind <> $12 OR NOT EXISTS (SELECT FROM notifier.masked_sales m WHERE m.lead_id = t.lead_id) \
         ON CONFLICT (message_id) DO NOTHING",
    )
    .bind(column(&new, |m| m.id.uuid()))
    .bind(column(&new, |m| m.seller.map(SellerId::uuid)))
    .bind(column(&new, |m| m.buyer.map(BuyerId::uuid)))
    .bind(column(&new, |m| m.channel.code()))
    .bind(column(&new, |m| m.kind.code()))
    .bind(column(&new, |m| m.lead.map(LeadId::uuid)))
    .bind(column(&new, |m| m.contents.as_slice()))
    .bind(column(&new, |m| m.expires_at))
    .bind(column(&new, |m| m.traceparent.as_deref()))
    .bind(column(&new, |m| m.received_at))
    .bind(now)
    .bind(MessageKind::LeadAssigned.code())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Which message a row with its id, tenant, buyer, kind and lead is of.
pub(super) fn key(row: &PgRow, channel: Channel) -> Result<MessageKey, sqlx::Error> {
    Ok(MessageKey {
        id: MessageId::from_uuid(row.try_get("message_id")?),
        seller: row.try_get::<Option<Uuid>, _>("seller_id")?.map(SellerId::from_uuid),
        buyer: row.try_get::<Option<Uuid>, _>("buyer_id")?.map(BuyerId::from_uuid),
        lead: row.try_get::<Option<Uuid>, _>("lead_id")?.map(LeadId::from_uuid),
        channel,
        kind: MessageKind::of(row.try_get("kind")?),
    })
}

/// Those of `provider_ids` that are known to be messages of this channel.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn known_to_us(
    connection: &mut PgConnection,
    channel: Channel,
    provider_ids: &[&str],
) -> Result<HashSet<String>, sqlx::Error> {
    let known: Vec<String> =
        sqlx::query_scalar("SELECT provider_id FROM notifier.messages WHERE channel = $1 AND provider_id = ANY($2)")
            .bind(channel.code())
            .bind(provider_ids)
            .fetch_all(connection)
            .await?;
    Ok(known.into_iter().collect())
}

/// Ends at most `limit` of those that are of no use any more and that nobody has; which, and why they were not sent. One that somebody had and
/// never recorded may be sent all the same.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn expire(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(MessageKey, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE notifier.messages SET status = 'EXPIRED', contents = NULL, due_at = NULL, lease = NULL, ended_at = $1, \
           may_be_sent = may_be_sent OR lease IS NOT NULL, \
           error = CASE WHEN error = '' THEN 'not sent while it was of use' ELSE error END \
         WHERE message_id = ANY(ARRAY( \
           SELECT message_id FROM notifier.messages WHERE status = 'WAITING' AND expires_at <= $1 \
             AND (lease IS NULL OR due_at <= $1) ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) \
         RETURNING message_id, seller_id, buyer_id, lead_id, channel, kind, error",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let told = |row: &PgRow| {
        let channel = Channel::of(row.try_get("channel")?).unwrap_or(Channel::Email);
        Ok((key(row, channel)?, row.try_get("error")?))
    };
    rows.iter().map(told).collect()
}
