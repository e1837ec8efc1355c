//! Table `notifier.callbacks`, and what callbacks change of messages.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use leadflow_kernel::MessageId;
use leadflow_notifier_domain::Channel;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::messages::{MessageKey, MessageStatus, key};

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
    /// That it was sent was not recorded yet, or never was: it was not told to be paid for.
    pub was_waiting: bool,
}

/// Writes down what became of messages, each once. What arrived can still come back; nothing arrives after that. A message whose sender has
/// not recorded that it was sent has ended now: it is not sent again.
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
         UPDATE notifier.messages m SET status = t.status, error = t.error, contents = NULL, due_at = NULL, lease = NULL, \
           provider_id = COALESCE(m.provider_id, NULLIF(t.provider_id, '')), \
           attempts_made = m.attempts_made + CASE WHEN k.was = 'WAITING' THEN 1 ELSE 0 END, \
           ended_at = COALESCE(m.ended_at, $5) \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS t(message_id, status, error, provider_id) \
         JOIN known k USING (message_id) \
         WHERE m.message_id = ANY($1) AND m.message_id = t.message_id \
           AND (k.was IN ('WAITING', 'SENT') OR (k.was = 'DELIVERED' AND t.status = 'BOUNCED')) \
         RETURNING m.message_id, m.seller_id, m.buyer_id, m.lead_id, m.kind, m.channel, m.status, m.error, k.was",
    )
    .bind(fates.iter().map(|fate| fate.message.uuid()).collect::<Vec<_>>())
    .bind(fates.iter().map(|fate| fate.status.text()).collect::<Vec<_>>())
    .bind(fates.iter().map(|fate| fate.error.as_str()).collect::<Vec<_>>())
    .bind(fates.iter().map(|fate| fate.provider_id.as_str()).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(connection)
    .await?;
    let changed = |row: &PgRow| {
        let delivered = row.try_get::<&str, _>("status")? == MessageStatus::Delivered.text();
        Ok(Changed {
            key: key(row, Channel::of(row.try_get("channel")?).unwrap_or(Channel::Email))?,
            status: if delivered { MessageStatus::Delivered } else { MessageStatus::Bounced },
            error: row.try_get("error")?,
            was_waiting: row.try_get::<&str, _>("was")? == MessageStatus::Waiting.text(),
        })
    };
    rows.iter().map(changed).collect()
}
