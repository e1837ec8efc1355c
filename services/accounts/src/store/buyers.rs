//! Table `accounts.buyers`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Buyer, Priority, SpendingLimit};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{Row, postgres::PgRow};

use super::columns;

/// What [`read`] needs of a buyer `b` of a seller `s`, column by column: see [`super`].
macro_rules! whole_buyer {
    () => {
        "b.buyer_id, b.seller_id, b.version, b.company_name, b.status, b.priority, \
         b.weekly_spending_limit, b.monthly_spending_limit, s.currency"
    };
}

/// Stores a new buyer; false when its id is taken.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    tx: &mut TenantTx,
    buyer: &Buyer,
    created_with: [u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        // No index is named: there is a second one that is unique, and of two who insert at once one may meet the other's row there first.
        "INSERT INTO accounts.buyers (buyer_id, seller_id, version, company_name, status, priority, \
           weekly_spending_limit, monthly_spending_limit, created_with, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT DO NOTHING",
    )
    .bind(buyer.id.uuid())
    .bind(buyer.seller_id.uuid())
    .bind(columns::big(buyer.version))
    .bind(buyer.company_name.as_str())
    .bind(buyer.status.code())
    .bind(i16::from(buyer.priority.get()))
    .bind(amount(buyer.weekly_limit))
    .bind(amount(buyer.monthly_limit))
    .bind(created_with.as_slice())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The tenant's buyer, if it was created with this content.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_created_with(
    tx: &mut TenantTx,
    seller_id: SellerId,
    id: BuyerId,
    created_with: [u8; 32],
) -> Result<Option<Buyer>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_buyer!(),
        " FROM accounts.buyers b JOIN accounts.sellers s USING (seller_id) \
         WHERE b.buyer_id = $1 AND b.seller_id = $2 AND b.created_with = $3"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .bind(created_with.as_slice())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// The tenant's buyer, which nobody else can change until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_locked(tx: &mut TenantTx, seller_id: SellerId, id: BuyerId) -> Result<Option<Buyer>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_buyer!(),
        " FROM accounts.buyers b JOIN accounts.sellers s USING (seller_id) \
         WHERE b.buyer_id = $1 AND b.seller_id = $2 FOR UPDATE OF b"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// The tenant's buyer.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(tx: &mut TenantTx, seller_id: SellerId, id: BuyerId) -> Result<Option<Buyer>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_buyer!(),
        " FROM accounts.buyers b JOIN accounts.sellers s USING (seller_id) \
         WHERE b.buyer_id = $1 AND b.seller_id = $2"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// Up to `limit` of the tenant's buyers after the one with id `after`, in the order of ids.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn page(
    tx: &mut TenantTx,
    seller_id: SellerId,
    after: Option<BuyerId>,
    limit: u32,
) -> Result<Vec<Buyer>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_buyer!(),
        " FROM accounts.buyers b JOIN accounts.sellers s USING (seller_id) \
         WHERE b.seller_id = $1 AND ($2::uuid IS NULL OR b.buyer_id > $2) ORDER BY b.buyer_id LIMIT $3"
    ))
    .bind(seller_id.uuid())
    .bind(after.map(BuyerId::uuid))
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Stores a buyer's new state.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(tx: &mut TenantTx, buyer: &Buyer, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts.buyers SET version = $3, company_name = $4, status = $5, priority = $6, \
           weekly_spending_limit = $7, monthly_spending_limit = $8, updated_at = $9 \
         WHERE buyer_id = $1 AND seller_id = $2",
    )
    .bind(buyer.id.uuid())
    .bind(buyer.seller_id.uuid())
    .bind(columns::big(buyer.version))
    .bind(buyer.company_name.as_str())
    .bind(buyer.status.code())
    .bind(i16::from(buyer.priority.get()))
    .bind(amount(buyer.weekly_limit))
    .bind(amount(buyer.monthly_limit))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

fn amount(limit: Option<SpendingLimit>) -> Option<Decimal> {
    limit.map(|limit| limit.money().amount())
}

fn read(row: &PgRow) -> Result<Buyer, sqlx::Error> {
    let currency = columns::currency(row)?;
    let priority = u32::try_from(row.try_get::<i16, _>("priority")?).map_err(columns::corrupt)?;
    Ok(Buyer {
        id: BuyerId::from_uuid(row.try_get("buyer_id")?),
        seller_id: SellerId::from_uuid(row.try_get("seller_id")?),
        version: columns::version(row)?,
        company_name: columns::name(row, "company_name")?,
        status: columns::status(row)?,
        priority: Priority::new("priority", priority).map_err(columns::corrupt)?,
        weekly_limit: columns::limit(row, "weekly_spending_limit", currency)?,
        monthly_limit: columns::limit(row, "monthly_spending_limit", currency)?,
    })
}
