//! Table `notifier.attempts`; its rows are written together with their delivery's result, in
//! [`super::deliveries::finish`].

use chrono::{DateTime, Utc};
use leadflow_kernel::DeliveryId;
use leadflow_platform::db::TenantTx;
use sqlx::Row;
use uuid::Uuid;

/// A stored attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// 1, 2, …
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// 0: no answer.
    pub status_code: i32,
    /// What was wrong, in words; empty for a success.
    pub error: String,
    /// What came back.
    pub response: String,
    /// What it means by the endpoint's rules; empty where they say nothing.
    pub meaning: String,
    /// What else there is to know, in words; empty: nothing.
    pub note: String,
}

/// The attempts of these deliveries, by delivery and number. None began before its delivery was written (by an hour, should clocks differ), so months
/// before are not looked into.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of(tx: &mut TenantTx, deliveries: &[DeliveryId]) -> Result<Vec<AttemptRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT delivery_id, number, started_at, duration_ms, status_code, error, response, meaning, note \
         FROM notifier.attempts WHERE delivery_id = ANY($1) AND started_at >= ( \
           SELECT min(created_at) - interval '1 hour' FROM notifier.deliveries WHERE delivery_id = ANY($1)) \
         ORDER BY delivery_id, number",
    )
    .bind(deliveries.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AttemptRow {
                delivery: DeliveryId::from_uuid(row.try_get("delivery_id")?),
                number: row.try_get("number")?,
                started_at: row.try_get("started_at")?,
                duration_ms: row.try_get("duration_ms")?,
                status_code: row.try_get("status_code")?,
                error: row.try_get("error")?,
                response: row.try_get("response")?,
                meaning: row.try_get("meaning")?,
                note: row.try_get("note")?,
            })
        })
        .collect()
}
