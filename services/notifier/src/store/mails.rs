//! Table `notifier.mails`: a queue with leases, as [`super::deliveries`].

use chrono::{DateTime, Utc};
use leadflow_kernel::{EventId, MailId, SellerId, UserId};
use leadflow_notifier_domain::MailKind;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

/// A mail that is asked for.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// The event that asks for it.
    pub event: EventId,
    /// What its contents are sealed with.
    pub id: MailId,
    /// The tenant; none for an administrator.
    pub seller: Option<SellerId>,
    /// Whom it is for; none for somebody who is only invited.
    pub user: Option<UserId>,
    /// What it is about.
    pub kind: MailKind,
    /// Address, name and token, sealed.
    pub sealed: Vec<u8>,
    /// Its link is of no use after this.
    pub expires_at: DateTime<Utc>,
}

/// A mail that somebody has a lease on.
#[derive(Debug, Clone)]
pub struct MailJob {
    /// The event that asked for it.
    pub event: EventId,
    /// What its contents are sealed with.
    pub id: MailId,
    /// The tenant; none for an administrator.
    pub seller: Option<SellerId>,
    /// What it is about; none: a kind that this release does not know.
    pub kind: Option<MailKind>,
    /// Address, name and token, sealed.
    pub sealed: Vec<u8>,
    /// Attempts, this one included.
    pub attempt: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailEnd {
    /// The mail server has it.
    Sent,
    /// It will never be taken; why.
    Refused(String),
    /// Why not yet, and when it is tried again.
    Later(String, DateTime<Utc>),
}

/// Stores those that are new.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(connection: &mut PgConnection, new: &[NewMail], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO notifier.mails (event_id, mail_id, seller_id, user_id, kind, sealed, expires_at, status, due_at, \
           created_at) \
         SELECT t.*, 'WAITING', $8, $8 \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bytea[], $7::timestamptz[]) AS t \
         ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(new.iter().map(|mail| mail.event.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|mail| mail.id.uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|mail| mail.seller.map(SellerId::uuid)).collect::<Vec<_>>())
    .bind(new.iter().map(|mail| mail.user.map(UserId::uuid)).collect::<Vec<_>>())
    .bind(new.iter().map(|mail| mail.kind.code()).collect::<Vec<_>>())
    .bind(new.iter().map(|mail| mail.sealed.as_slice()).collect::<Vec<_>>())
    .bind(new.iter().map(|mail| mail.expires_at).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Takes at most `limit` that are due, until `leased_until`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn claim(
    connection: &mut PgConnection,
    lease: Uuid,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<MailJob>, sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.mails SET lease = $1, due_at = $3, attempts_made = attempts_made + 1 \
         WHERE event_id = ANY(ARRAY( \
           SELECT event_id FROM notifier.mails WHERE status = 'WAITING' AND due_at <= $2 AND expires_at > $2 \
           ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)) \
         RETURNING event_id, mail_id, seller_id, kind, sealed, attempts_made",
    )
    .bind(lease)
    .bind(now)
    .bind(leased_until)
    .bind(limit)
    .fetch_all(connection)
    .await?
    .iter()
    .map(job)
    .collect()
}

/// Stores how an attempt ended, if `lease` is still the one that has it. What has ended keeps no contents.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn finish(
    connection: &mut PgConnection,
    event: EventId,
    lease: Uuid,
    end: &MailEnd,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (status, error, due_at) = match end {
        MailEnd::Sent => ("SENT", "", None),
        MailEnd::Refused(why) => ("REFUSED", why.as_str(), None),
        MailEnd::Later(why, at) => ("WAITING", why.as_str(), Some(*at)),
    };
    let done = sqlx::query(
        "UPDATE notifier.mails SET status = $3, error = $4, due_at = $5, lease = NULL, \
           sealed = CASE WHEN $5::timestamptz IS NOT NULL THEN sealed END, \
           ended_at = CASE WHEN $5::timestamptz IS NULL THEN $6::timestamptz END \
         WHERE event_id = $1 AND lease = $2 AND status = 'WAITING'",
    )
    .bind(event.uuid())
    .bind(lease)
    .bind(status)
    .bind(error)
    .bind(due_at)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends those whose link is of no use any more and that nobody has; how many they were.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn expire(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE notifier.mails SET status = 'EXPIRED', sealed = NULL, due_at = NULL, lease = NULL, ended_at = $1, \
           error = CASE WHEN error = '' THEN 'not sent before its link expired' ELSE error END \
         WHERE event_id = ANY(ARRAY( \
           SELECT event_id FROM notifier.mails WHERE status = 'WAITING' AND expires_at <= $1 \
             AND (lease IS NULL OR due_at <= $1) FOR UPDATE SKIP LOCKED))",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

fn job(row: &PgRow) -> Result<MailJob, sqlx::Error> {
    Ok(MailJob {
        event: EventId::from_uuid(row.try_get("event_id")?),
        id: MailId::from_uuid(row.try_get("mail_id")?),
        seller: row.try_get::<Option<Uuid>, _>("seller_id")?.map(SellerId::from_uuid),
        kind: MailKind::of(row.try_get("kind")?),
        sealed: row.try_get("sealed")?,
        attempt: u32::try_from(row.try_get::<i32, _>("attempts_made")?).unwrap_or_default(),
    })
}
