//! Which credits were made, by the caller's id.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, PostingId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::Row;

/// A credit as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The tenant.
    pub seller: SellerId,
    /// Made by the caller; unique in the tenant.
    pub id: String,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// Major units.
    pub amount: Decimal,
}

/// Records a credit, if its id is new. Waits for another transaction that is recording the same.
pub async fn insert(
    tx: &mut TenantTx,
    credit: &Credit,
    posting: PostingId,
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.credits (seller_id, credit_id, buyer_id, amount, posting_id, at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(credit.seller.uuid())
    .bind(&credit.id)
    .bind(credit.buyer.uuid())
    .bind(credit.amount)
    .bind(posting.uuid())
    .bind(at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The credit with this id.
pub async fn find(tx: &mut TenantTx, tenant: SellerId, id: &str) -> Result<Option<Credit>, sqlx::Error> {
    let row = sqlx::query("SELECT buyer_id, amount FROM billing.credits WHERE seller_id = $1 AND credit_id = $2")
        .bind(tenant.uuid())
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| {
        Ok(Credit {
            seller: tenant,
            id: id.to_owned(),
            buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
            amount: row.try_get("amount")?,
        })
    })
    .transpose()
}
