//! Buyers as the provider of card payments knows them.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// A buyer at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Whose.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// What the provider was asked with first.
    pub email: String,
    /// Likewise.
    pub name: String,
    /// `cus_…`, once it has answered.
    pub provider_id: Option<String>,
}

/// Writes down that the provider is about to be asked for this buyer, unless that was done before, and tells what it is
/// (or was) asked with. `None`: the tenant has no such buyer.
pub async fn note(tx: &mut TenantTx, new: &Customer, now: DateTime<Utc>) -> Result<Option<Customer>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.customers (buyer_id, seller_id, email, name, created_at) \
         SELECT w.buyer_id, w.seller_id, $3, $4, $5 FROM billing.wallets w WHERE w.buyer_id = $1 AND w.seller_id = $2 \
         ON CONFLICT DO NOTHING",
    )
    .bind(new.buyer.uuid())
    .bind(new.seller.uuid())
    .bind(&new.email)
    .bind(&new.name)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    find(tx, new.seller, new.buyer).await
}

/// The customer of a buyer, if he was noted.
pub async fn find(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Option<Customer>, sqlx::Error> {
    let row =
        sqlx::query("SELECT email, name, provider_id FROM billing.customers WHERE buyer_id = $1 AND seller_id = $2")
            .bind(buyer.uuid())
            .bind(seller.uuid())
            .fetch_optional(&mut **tx)
            .await?;
    row.map(|row| {
        Ok(Customer {
            buyer,
            seller,
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            provider_id: row.try_get("provider_id")?,
        })
    })
    .transpose()
}

/// Keeps the provider's answer; the first one that is known stays. Tells which it is.
pub async fn learn(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    provider_id: &str,
) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE billing.customers SET provider_id = coalesce(provider_id, $3) \
         WHERE buyer_id = $1 AND seller_id = $2 RETURNING provider_id",
    )
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .bind(provider_id)
    .fetch_one(&mut **tx)
    .await
}

/// Locks a buyer's cards: whoever changes them, or turns on something that needs one, waits here for the others. False
/// when he never had any.
pub async fn lock(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<bool, sqlx::Error> {
    let locked: Option<Uuid> =
        sqlx::query_scalar("SELECT buyer_id FROM billing.customers WHERE buyer_id = $1 AND seller_id = $2 FOR UPDATE")
            .bind(buyer.uuid())
            .bind(seller.uuid())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(locked.is_some())
}

/// Whose customer this is, of whichever tenant: for what the provider tells us.
pub async fn owner(
    connection: &mut PgConnection,
    provider_id: &str,
) -> Result<Option<(SellerId, BuyerId)>, sqlx::Error> {
    let row = sqlx::query("SELECT seller_id, buyer_id FROM billing.customers WHERE provider_id = $1")
        .bind(provider_id)
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((SellerId::from_uuid(row.try_get("seller_id")?), BuyerId::from_uuid(row.try_get("buyer_id")?))))
        .transpose()
}
