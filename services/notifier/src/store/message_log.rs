//! Reads `notifier.messages` and `notifier.message_attempts` for those whom they are about.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, LeadId, MessageId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::Row;
use uuid::Uuid;

/// A message to a buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// `EMAIL` or `SMS`.
    pub channel: String,
    /// `LEAD_ASSIGNED` and so on.
    pub kind: String,
    /// Address or number; empty before the first attempt.
    pub recipient: String,
    /// `WAITING` or how it ended.
    pub status: String,
    /// Why it did not arrive, in words.
    pub error: String,
    /// How often it was tried.
    pub attempts_made: i32,
    /// When it is tried next, while it waits.
    pub due_at: Option<DateTime<Utc>>,
    /// Which lead it is about.
    pub lead: Option<LeadId>,
    /// Since when there is something to tell.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// One attempt at sending a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttemptRow {
    /// Of which message.
    pub message: MessageId,
    /// 1, 2, …
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// Of the provider's answer; 0: none.
    pub status_code: i32,
    /// What was wrong, in words.
    pub error: String,
}

/// A buyer's messages, the newest first; `before` is the last one of the page before.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyer(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    before: Option<MessageId>,
    limit: u32,
) -> Result<Vec<MessageRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT message_id, channel, kind, recipient, status, error, attempts_made, due_at, lead_id, created_at, ended_at \
         FROM notifier.messages WHERE seller_id = $1 AND buyer_id = $2 AND ($3::uuid IS NULL OR \
           (created_at, message_id) < (SELECT b.created_at, b.message_id FROM notifier.messages b \
             WHERE b.message_id = $3 AND b.seller_id = $1 AND b.buyer_id = $2)) \
         ORDER BY created_at DESC, message_id DESC LIMIT $4",
    )
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(before.map(Uuid::from))
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(MessageRow {
                id: MessageId::from_uuid(row.try_get("message_id")?),
                channel: row.try_get("channel")?,
                kind: row.try_get("kind")?,
                recipient: row.try_get("recipient")?,
                status: row.try_get("status")?,
                error: row.try_get("error")?,
                attempts_made: row.try_get("attempts_made")?,
                due_at: row.try_get("due_at")?,
                lead: row.try_get::<Option<Uuid>, _>("lead_id")?.map(LeadId::from_uuid),
                created_at: row.try_get("created_at")?,
                ended_at: row.try_get("ended_at")?,
            })
        })
        .collect()
}

/// The attempts at these messages, by message and number.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn attempts_of(tx: &mut TenantTx, messages: &[MessageId]) -> Result<Vec<MessageAttemptRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT message_id, number, started_at, duration_ms, status_code, error FROM notifier.message_attempts \
 WHERE message_id = ANY($1) ORDER BY message_id, number",
    )
    .bind(messages.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(MessageAttemptRow {
                message: MessageId::from_uuid(row.try_get("message_id")?),
                number: row.try_get("number")?,
                started_at: row.try_get("started_at")?,
                duration_ms: row.try_get("duration_ms")?,
                status_code: row.try_get("status_code")?,
                error: row.try_get("error")?,
            })
        })
        .collect()
}
