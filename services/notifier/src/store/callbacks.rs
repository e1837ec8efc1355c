//! Table `notifier.callbacks`, and what callbacks change of messages.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use leadflow_kernel::MessageId;
use leadflow_notifier_domain::Channel;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::messages::{MessageKey, MessageStatus, Taken, key, number};

/// Remembers events; those that are new.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn remember(
    connection: &mut PgConnection,
    source: &'static str,
    events: &[&str],
    now: DateTime<Utc>,
) -> Result<HashSet<String>, sqlx::Error> {
    let mut events = events.to_vec();
    events.sort_unstable();
    events.dedup();
    let fresh: Vec<String> = sqlx::query_scalar(
        "INSERT INTO notifier.callbacks (source, event_id, at) SELECT $1, unnest($2::text[]), $3 \
         ON CONFLICT (source, event_id) DO NOTHING RETURNING event_id",
    )
    .bind(source)
    .bind(events)
    .bind(now)
    .fetch_all(connection)
    .await?;
    Ok(fresh.into_iter().collect())
}

/// Forgets those from before `until`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn forget(connection: &mut PgConnection, until: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM notifier.callbacks WHERE at < $1").bind(until).execute(connection).await?;
    Ok(done.rows_affected())
}

/// What a provider told of a message.
#[derive(Debug, Clone)]
pub struct Fate {
    /// Which.
    pub message: MessageId,
    /// DELIVERED or BOUNCED.
    pub status: MessageStatus,
    /// Why it came back.
    pub error: String,
    /// What the provider calls it.
    pub provider_id: String,
    /// What is paid for, if that is not known yet; none: as written down.
    pub units: Option<u32>,
}

/// Notes that a provider has a message whose sender has not recorded that (yet): it is not sent again, but recorded as sent, by him or by who
/// takes it next, which is worth an hour more.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn note_taken(
    connection: &mut PgConnection,
    message: MessageId,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE notifier.messages SET provider_id = $2, recipient = $3, units = $4, \
           due_at = CASE WHEN lease IS NULL THEN $5 ELSE due_at END, expires_at = GREATEST(expires_at, $5 + interval '1 hour') \
         WHERE message_id = $1 AND channel = 'SMS' AND status = 'WAITING' AND provider_id IS NULL",
    )
    .bind(message.uuid())
    .bind(&taken.provider_id)
    .bind(&taken.recipient)
    .bind(number(taken.units))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The text message that a provider calls so.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn text_by_provider_id(
    connection: &mut PgConnection,
    provider_id: &str,
) -> Result<Option<MessageId>, sqlx::Error> {
    let id: Option<uuid::Uuid> = sqlx::query_scalar(
        "SELECT message_id FROM notifier.messages WHERE channel = 'SMS' AND provider_id = $1 ORDER BY created_at LIMIT 1",
    )
    .bind(provider_id)
    .fetch_optional(connection)
    .await?;
    Ok(id.map(MessageId::from_uuid))
}

/// A message of which something new was told.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Which.
    pub key: MessageKey,
    /// Where it stands now.
    pub status: MessageStatus,
    /// Why it came back.
    pub error: String,
    /// What is to be paid for now: that it was sent was not recorded yet, or never was.
    pub unpaid: Option<u32>,
}

/// Writes down what became of messages, each once. What arrived can still come back; nothing arrives after that. A message whose sender has
/// not recorded that it was sent has ended now: it is not sent again, and whoever has its lease only adds his attempt. Where the answer was
/// lost, what had ended otherwise was sent all the same.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn tell(
    connection: &mut PgConnection,
    fates: &[Fate],
    now: DateTime<Utc>,
) -> Result<Vec<Changed>, sqlx::Error> {
    if fates.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "WITH known AS MATERIALIZED ( \
           SELECT message_id, status AS was FROM notifier.messages WHERE message_id = ANY($1) ORDER BY message_id FOR UPDATE) \
         UPDATE notifier.messages m SET status = t.status, error = t.error, contents = NULL, due_at = NULL, \
           provider_id = COALESCE(m.provider_id, NULLIF(t.provider_id, '')), \
           units = CASE WHEN k.was IN ('SENT', 'DELIVERED') THEN m.units ELSE COALESCE(t.units, m.units) END, \
           attempts_made = m.attempts_made + CASE WHEN k.was = 'WAITING' THEN 1 ELSE 0 END, \
           ended_at = COALESCE(m.ended_at, $5) \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $6::int4[]) \
           AS t(message_id, status, error, provider_id, units) \
         JOIN known k USING (message_id) \
         WHERE m.message_id = ANY($1) AND m.message_id = t.message_id \
           AND (k.was IN ('WAITING', 'SENT') OR (k.was = 'DELIVERED' AND t.status = 'BOUNCED') \
             OR (m.may_be_sent AND k.was IN ('EXPIRED', 'REFUSED', 'SUPPRESSED'))) \
           AND (m.channel <> 'SMS' OR m.provider_id IS NULL OR m.provider_id = t.provider_id) \
         RETURNING m.message_id, m.seller_id, m.buyer_id, m.lead_id, m.kind, m.channel, m.status, m.error, m.units, k.was",
    )
    .bind(fates.iter().map(|fate| fate.message.uuid()).collect::<Vec<_>>())
    .bind(fates.iter().map(|fate| fate.status.text()).collect::<Vec<_>>())
    .bind(fates.iter().map(|fate| fate.error.as_str()).collect::<Vec<_>>())
    .bind(fates.iter().map(|fate| fate.provider_id.as_str()).collect::<Vec<_>>())
    .bind(now)
    .bind(fates.iter().map(|fate| fate.units.map(number)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let changed = |row: &PgRow| {
        let delivered = row.try_get::<&str, _>("status")? == MessageStatus::Delivered.text();
        Ok(Changed {
            key: key(row, Channel::of(row.try_get("channel")?).unwrap_or(Channel::Email))?,
            status: if delivered { MessageStatus::Delivered } else { MessageStatus::Bounced },
            error: row.try_get("error")?,
            unpaid: match row.try_get::<&str, _>("was")? {
                "SENT" | "DELIVERED" => None,
                _ => Some(u32::try_from(row.try_get::<i32, _>("units")?).unwrap_or(1)),
            },
        })
    };
    rows.iter().map(changed).collect()
}
