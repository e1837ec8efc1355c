//! Webhooks of the provider of card payments, as they came.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

/// A webhook that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// `evt_…`
    pub id: String,
    /// `payment_intent.succeeded`
    pub kind: String,
    /// The provider's time of it.
    pub created: DateTime<Utc>,
    /// As it came.
    pub body: String,
}

/// A webhook to work off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// `evt_…`
    pub id: String,
    /// `payment_intent.succeeded`
    pub kind: String,
    /// As it came.
    pub body: String,
    /// With this one.
    pub attempts: i32,
}

/// A webhook that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// `evt_…`
    pub id: String,
    /// `payment_intent.succeeded`
    pub kind: String,
    /// The provider's time of it.
    pub created: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub error: String,
}

/// Webhooks that were given up, the oldest first, at most `most`.
pub async fn given_up(connection: &mut PgConnection, most: i64) -> Result<Vec<GivenUp>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT event_id, type, created, received_at, attempts, error FROM billing.provider_events \
         WHERE state = 'given_up' ORDER BY received_at, event_id LIMIT $1",
    )
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read_given_up).collect()
}

/// How many were given up.
pub async fn count_given_up(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM billing.provider_events WHERE state = 'given_up'")
        .fetch_one(connection)
        .await
}

/// One that was given up, and as it came.
pub async fn find_given_up(connection: &mut PgConnection, id: &str) -> Result<Option<(GivenUp, String)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT event_id, type, created, received_at, attempts, error, body FROM billing.provider_events \
         WHERE event_id = $1 AND state = 'given_up'",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((read_given_up(&row)?, row.try_get("body")?))).transpose()
}

/// Has those of `ids` (all, if `None`) that were given up tried anew. Tells which they are, by id.
pub async fn try_again(
    connection: &mut PgConnection,
    ids: Option<&[String]>,
    now: DateTime<Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    let mut ids: Vec<String> = sqlx::query_scalar(
        "UPDATE billing.provider_events SET state = 'waiting', attempts = 0, next_at = $2 \
         WHERE state = 'given_up' AND ($1::text[] IS NULL OR event_id = ANY($1)) RETURNING event_id",
    )
    .bind(ids)
    .bind(now)
    .fetch_all(connection)
    .await?;
    ids.sort_unstable();
    Ok(ids)
}

fn read_given_up(row: &PgRow) -> Result<GivenUp, sqlx::Error> {
    Ok(GivenUp {
        id: row.try_get("event_id")?,
        kind: row.try_get("type")?,
        created: row.try_get("created")?,
        received_at: row.try_get("received_at")?,
        attempts: row.try_get("attempts")?,
        error: row.try_get("error")?,
    })
}

/// Keeps a webhook; false when it had come before. One that was given up is tried anew then.
pub async fn keep(connection: &mut PgConnection, new: &NewEvent, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.provider_events (event_id, type, created, body, received_at, next_at) \
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&new.id)
    .bind(&new.kind)
    .bind(new.created)
    .bind(&new.body)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() > 0 {
        return Ok(true);
    }
    sqlx::query(
        "UPDATE billing.provider_events SET state = 'waiting', attempts = 0, next_at = $2 \
         WHERE event_id = $1 AND state = 'given_up'",
    )
    .bind(&new.id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(false)
}

/// Takes webhooks that are due: nobody else takes them before `lease_until`.
pub async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE billing.provider_events SET next_at = $2, attempts = attempts + 1 \
         WHERE event_id IN (SELECT event_id FROM billing.provider_events WHERE state = 'waiting' AND next_at <= $1 \
           ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
         RETURNING event_id, type, body, attempts",
    )
    .bind(now)
    .bind(lease_until)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                id: row.try_get("event_id")?,
                kind: row.try_get("type")?,
                body: row.try_get("body")?,
                attempts: row.try_get("attempts")?,
            })
        })
        .collect()
}

/// It had its effect, or has none: then `ignored` says why.
pub async fn done(
    connection: &mut PgConnection,
    id: &str,
    ignored: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE billing.provider_events SET state = $2, error = $3, processed_at = $4 \
         WHERE event_id = $1 AND state IN ('waiting', 'given_up')",
    )
    .bind(id)
    .bind(if ignored.is_some() { "ignored" } else { "processed" })
    .bind(ignored.unwrap_or_default())
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
}

/// It failed, and is tried again at `again`; without, it is given up. An attempt that somebody else has overtaken says nothing.
pub async fn failed(
    connection: &mut PgConnection,
    claimed: &Claimed,
    error: &str,
    again: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE billing.provider_events SET state = CASE WHEN $4::timestamptz IS NULL THEN 'given_up' ELSE state END, \
           error = $3, next_at = coalesce($4, next_at) \
         WHERE event_id = $1 AND attempts = $2 AND state = 'waiting'",
    )
    .bind(&claimed.id)
    .bind(claimed.attempts)
    .bind(error)
    .bind(again)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Forgets webhooks that were worked off before; at most `most`. Returns how many.
pub async fn forget(connection: &mut PgConnection, before: DateTime<Utc>, most: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM billing.provider_events WHERE event_id IN \
           (SELECT event_id FROM billing.provider_events WHERE processed_at < $1 ORDER BY processed_at LIMIT $2)",
    )
    .bind(before)
    .bind(most)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
