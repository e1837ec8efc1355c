//! How often a buyer has tried cards of late.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// When there were as many as are allowed, counted back from now; `None`: there were fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Attempts to store a card.
    pub tried: Option<DateTime<Utc>>,
    /// Cards that were refused when they were stored, and top-ups that were declined, or may still be.
    pub declined: Option<DateTime<Utc>>,
}

/// Whether a buyer has made `tried` attempts, or `declined` of his cards were refused, since `since`.
pub async fn reached(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    since: DateTime<Utc>,
    (tried, declined): (u32, u32),
) -> Result<Reached, sqlx::Error> {
    let row = sqlx::query(
        "WITH tried AS (SELECT at, declined FROM billing.card_attempts WHERE seller_id = $1 AND buyer_id = $2 AND at > $3), \
              refused AS (SELECT at FROM tried WHERE declined \
                UNION ALL SELECT created_at FROM billing.payments WHERE seller_id = $1 AND buyer_id = $2 AND created_at > $3 \
                  AND kind = 'top_up' AND state IN ('declined', 'pending')) \
         SELECT (SELECT at FROM tried ORDER BY at DESC OFFSET $4 LIMIT 1) AS tried, \
                (SELECT at FROM refused ORDER BY at DESC OFFSET $5 LIMIT 1) AS declined",
    )
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(since)
    .bind(i64::from(tried.saturating_sub(1)))
    .bind(i64::from(declined.saturating_sub(1)))
    .fetch_one(&mut **tx)
    .await?;
    Ok(Reached { tried: row.try_get("tried")?, declined: row.try_get("declined")? })
}

/// Writes an attempt down.
pub async fn insert(
    tx: &mut TenantTx,
    attempt: Uuid,
    seller: SellerId,
    buyer: BuyerId,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO billing.card_attempts (attempt_id, seller_id, buyer_id, at) VALUES ($1, $2, $3, $4)")
        .bind(attempt)
        .bind(seller.uuid())
        .bind(buyer.uuid())
        .bind(at)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// The card was refused.
pub async fn declined(tx: &mut TenantTx, seller: SellerId, attempt: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE billing.card_attempts SET declined = true WHERE seller_id = $1 AND attempt_id = $2")
        .bind(seller.uuid())
        .bind(attempt)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Forgets attempts from before, at most `most`, of all tenants. Returns how many.
pub async fn forget(connection: &mut PgConnection, before: DateTime<Utc>, most: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM billing.card_attempts WHERE attempt_id IN \
           (SELECT attempt_id FROM billing.card_attempts WHERE at < $1 ORDER BY at LIMIT $2)",
    )
    .bind(before)
    .bind(most)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
