//! Table `notifier.messages`: taking what is due with a lease, and recording what came of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_kernel::MessageId;
use leadflow_notifier_domain::{Channel, Wishes};
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::messages::{Addressee, MessageJob, MessageResult, Taken, column, key, number, storable};

/// What to take.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Of which channel.
    pub channel: Channel,
    /// The taker's token.
    pub lease: Uuid,
    /// Now.
    pub now: DateTime<Utc>,
    /// The end of the lease.
    pub leased_until: DateTime<Utc>,
    /// At most this many.
    pub limit: usize,
    /// And of them so many that have failed before, if there are any.
    pub again: usize,
}

/// Takes what is due: the places that are kept for what has failed, then new ones, then what else has failed; of each the
/// longest due first. One that somebody else had and never recorded may be sent already.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn claim(connection: &mut PgConnection, claim: &Claim) -> Result<Vec<MessageJob>, sqlx::Error> {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "WITH again AS MATERIALIZED ( \
           SELECT message_id FROM notifier.messages \
           WHERE channel = $1 AND status = 'WAITING' AND (attempts_made > 0) AND due_at <= $3 AND expires_at > $3 \
           ORDER BY due_at LIMIT $6 FOR UPDATE SKIP LOCKED), \
         others AS MATERIALIZED ( \
           SELECT message_id FROM notifier.messages \
           WHERE channel = $1 AND status = 'WAITING' AND due_at <= $3 AND expires_at > $3 \
             AND message_id <> ALL(ARRAY(SELECT message_id FROM again)) \
           ORDER BY (attempts_made > 0), due_at LIMIT $5 - (SELECT count(*) FROM again) FOR UPDATE SKIP LOCKED), \
         taken AS ( \
           UPDATE notifier.messages SET lease = $2, due_at = $4, may_be_sent = may_be_sent OR lease IS NOT NULL \
           WHERE message_id = ANY(ARRAY(SELECT message_id FROM again UNION ALL SELECT message_id FROM others)) \
           RETURNING message_id, seller_id, buyer_id, kind, lead_id, contents, attempts_made, created_at, expires_at, \
             traceparent, may_be_sent, provider_id, recipient, units) \
         SELECT t.*, COALESCE(s.company_name, '') AS seller_name, b.buyer_id IS NOT NULL AS known, b.company_name, \
           b.contact_name, b.email, b.email_verified, b.phone, \
           COALESCE(NULLIF(p.time_zone, ''), s.time_zone, '') AS time_zone, p.buyer_id IS NOT NULL AS said, \
           p.email_on_lead, p.sms_on_lead, p.email_on_low_balance, p.sms_on_low_balance, p.email_on_return, \
           p.daily_summary, p.sms_agreed_at, COALESCE(p.quiet_from, 0) AS quiet_from, \
           COALESCE(p.quiet_until, 0) AS quiet_until \
         FROM taken t \
         LEFT JOIN notifier.sellers s ON s.seller_id = t.seller_id \
         LEFT JOIN notifier.buyers b ON b.buyer_id = t.buyer_id AND b.seller_id = t.seller_id \
         LEFT JOIN notifier.preferences p ON p.buyer_id = t.buyer_id AND p.seller_id = t.seller_id",
    )
    .bind(claim.channel.code())
    .bind(claim.lease)
    .bind(claim.now)
    .bind(claim.leased_until)
    .bind(count(claim.limit))
    .bind(count(claim.again.min(claim.limit)))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| job(row, claim.channel, claim.lease)).collect()
}

fn job(row: &PgRow, channel: Channel, lease: Uuid) -> Result<MessageJob, sqlx::Error> {
    let addressee = if row.try_get("known")? { Some(addressee(row)?) } else { None };
    Ok(MessageJob {
        key: key(row, channel)?,
        seller_name: row.try_get("seller_name")?,
        addressee,
        contents: row.try_get("contents")?,
        attempts_made: u32::try_from(row.try_get::<i32, _>("attempts_made")?).unwrap_or_default(),
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        traceparent: row.try_get("traceparent")?,
        lease,
        may_be_sent: row.try_get("may_be_sent")?,
        taken: taken(row)?,
    })
}

/// What its provider called back with before it was recorded that it was sent.
fn taken(row: &PgRow) -> Result<Option<Taken>, sqlx::Error> {
    let Some(provider_id) = row.try_get("provider_id")? else { return Ok(None) };
    let units = u32::try_from(row.try_get::<i32, _>("units")?).unwrap_or(1);
    Ok(Some(Taken { provider_id, recipient: row.try_get("recipient")?, units }))
}

/// What the buyer of a row with his preferences, or `said` false, wants.
pub(super) fn wishes(row: &PgRow) -> Result<Wishes, sqlx::Error> {
    if !row.try_get("said")? {
        return Ok(Wishes::default());
    }
    Ok(Wishes {
        email_on_lead: row.try_get("email_on_lead")?,
        sms_on_lead: row.try_get("sms_on_lead")?,
        email_on_low_balance: row.try_get("email_on_low_balance")?,
        sms_on_low_balance: row.try_get("sms_on_low_balance")?,
        email_on_return: row.try_get("email_on_return")?,
        daily_summary: row.try_get("daily_summary")?,
    })
}

fn addressee(row: &PgRow) -> Result<Addressee, sqlx::Error> {
    let minutes = |name| row.try_get::<i32, _>(name).map(|value| u32::try_from(value).unwrap_or_default());
    Ok(Addressee {
        company_name: row.try_get("company_name")?,
        name: row.try_get("contact_name")?,
        email: row.try_get("email")?,
        email_verified: row.try_get("email_verified")?,
        phone: row.try_get("phone")?,
        wishes: wishes(row)?,
        sms_agreed_at: row.try_get("sms_agreed_at")?,
        quiet: (minutes("quiet_from")?, minutes("quiet_until")?),
        time_zone: row.try_get("time_zone")?,
    })
}

/// What was stored of results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// Messages whose result is recorded, with when the leads were received that they tell of.
    pub recorded: HashMap<MessageId, Option<DateTime<Utc>>>,
    /// Others, of which their provider had told before: their attempts are recorded.
    pub told_before: usize,
}

/// Stores results and their attempts, where the lease still stands; others are dropped. What has ended keeps no contents.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn finish(
    connection: &mut PgConnection,
    results: &[MessageResult],
    now: DateTime<Utc>,
) -> Result<Finished, sqlx::Error> {
    let tried: Vec<_> = results.iter().filter_map(|r| r.attempt.as_ref().map(|attempt| (r, attempt))).collect();
    let stored: Vec<(Uuid, bool, Option<DateTime<Utc>>)> = sqlx::query_as(
        "WITH held AS MATERIALIZED ( \
           SELECT m.message_id, m.status = 'WAITING' AS waits, m.received_at FROM notifier.messages m \
           JOIN unnest($1::uuid[], $2::uuid[]) AS t(message_id, lease) USING (message_id) \
           WHERE m.message_id = ANY($1) AND m.lease = t.lease ORDER BY m.message_id FOR UPDATE OF m), \
         done AS ( \
           UPDATE notifier.messages m SET status = t.status, attempts_made = t.attempts_made, due_at = t.due_at, \
             lease = NULL, error = t.error, contents = CASE WHEN t.status = 'WAITING' THEN m.contents END, \
             recipient = COALESCE(NULLIF(t.recipient, ''), m.recipient), \
             provider_id = COALESCE(t.provider_id, m.provider_id), units = t.units, \
             may_be_sent = m.may_be_sent OR t.unsure, \
             ended_at = CASE WHEN t.status <> 'WAITING' THEN $10::timestamptz END \
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int4[], $5::timestamptz[], $6::text[], $7::text[], \
                       $8::text[], $9::int4[], $17::bool[]) \
             AS t(message_id, lease, status, attempts_made, due_at, error, recipient, provider_id, units, unsure) \
           JOIN held USING (message_id) \
           WHERE m.message_id = ANY($1) AND m.message_id = t.message_id AND held.waits), \
         tried AS ( \
           INSERT INTO notifier.message_attempts (message_id, number, started_at, duration_ms, status_code, error) \
           SELECT a.* FROM unnest($11::uuid[], $12::int4[], $13::timestamptz[], $14::int4[], $15::int4[], $16::text[]) \
             AS a(message_id, number, started_at, duration_ms, status_code, error) \
           JOIN held USING (message_id) ON CONFLICT (message_id, number) DO NOTHING) \
         SELECT message_id, waits, received_at FROM held",
    )
    .bind(column(results, |r| r.key.id.uuid()))
    .bind(column(results, |r| r.lease))
    .bind(column(results, |r| r.status.text()))
    .bind(column(results, |r| number(r.attempts_made)))
    .bind(column(results, |r| r.due_at))
    .bind(column(results, |r| storable(&r.error)))
    .bind(column(results, |r| r.recipient.as_str()))
    .bind(column(results, |r| r.provider_id.as_deref().map(storable)))
    .bind(column(results, |r| number(r.units)))
    .bind(now)
    .bind(column(&tried, |(r, _)| r.key.id.uuid()))
    .bind(column(&tried, |(r, _)| number(r.attempts_made)))
    .bind(column(&tried, |(_, attempt)| attempt.started_at))
    .bind(column(&tried, |(_, attempt)| number(attempt.duration_ms)))
    .bind(column(&tried, |(_, attempt)| i32::from(attempt.status_code)))
    .bind(column(&tried, |(r, _)| storable(&r.error)))
    .bind(column(results, |r| r.unsure))
    .fetch_all(connection)
    .await?;
    let waited = stored.iter().filter(|(_, waited, _)| *waited);
    let recorded: HashMap<_, _> = waited.map(|(id, _, received)| (MessageId::from_uuid(*id), *received)).collect();
    Ok(Finished { told_before: stored.len() - recorded.len(), recorded })
}
