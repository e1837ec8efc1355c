//! Tables `accounts.sellers` and `accounts.retention`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{FeePercent, RetentionDays, Seller, TimeZone};
use leadflow_kernel::SellerId;
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{Row, postgres::PgRow};

use super::columns;

/// What [`read`] needs of a seller `s`, column by column: a statement that reads whole rows fails once its table has been given another column.
macro_rules! whole_seller {
    () => {
        "s.seller_id, s.version, s.company_name, s.status, s.time_zone, s.currency, s.platform_fee_percent, \
         s.posts_per_second, \
         coalesce((SELECT r.days FROM accounts.retention r WHERE r.seller_id = s.seller_id), 0) AS retention_days"
    };
}
pub(super) use whole_seller;

/// Stores a new seller; false when its id is taken.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    tx: &mut TenantTx,
    seller: &Seller,
    created_with: [u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts.sellers (seller_id, version, company_name, status, time_zone, currency, \
           platform_fee_percent, posts_per_second, created_with, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT (seller_id) DO NOTHING",
    )
    .bind(seller.id.uuid())
    .bind(columns::big(seller.version))
    .bind(seller.company_name.as_str())
    .bind(seller.status.code())
    .bind(seller.time_zone.name())
    .bind(seller.currency.code())
    .bind(seller.fee.decimal())
    .bind(columns::small(seller.posts_per_second.get()))
    .bind(created_with.as_slice())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The seller, if it was created with this content.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_created_with(
    tx: &mut TenantTx,
    id: SellerId,
    created_with: [u8; 32],
) -> Result<Option<Seller>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_seller!(),
        " FROM accounts.sellers s WHERE seller_id = $1 AND created_with = $2"
    ))
    .bind(id.uuid())
    .bind(created_with.as_slice())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// The seller, which nobody else can change until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_locked(tx: &mut TenantTx, id: SellerId) -> Result<Option<Seller>, sqlx::Error> {
    let known = sqlx::query("SELECT 1 FROM accounts.sellers WHERE seller_id = $1 FOR UPDATE")
        .bind(id.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    if known.is_none() { Ok(None) } else { after_lock(tx, id).await }
}

/// The seller, which nobody can change until the transaction ends; others may read it likewise.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_shared(tx: &mut TenantTx, id: SellerId) -> Result<Option<Seller>, sqlx::Error> {
    let known = sqlx::query("SELECT 1 FROM accounts.sellers WHERE seller_id = $1 FOR SHARE")
        .bind(id.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    if known.is_none() { Ok(None) } else { after_lock(tx, id).await }
}

/// In a statement of its own, which sees what was committed in either table while the lock was waited for.
async fn after_lock(tx: &mut TenantTx, id: SellerId) -> Result<Option<Seller>, sqlx::Error> {
    sqlx::query(concat!("SELECT ", whole_seller!(), " FROM accounts.sellers s WHERE seller_id = $1"))
        .bind(id.uuid())
        .fetch_optional(&mut **tx)
        .await?
        .map(|row| read(&row))
        .transpose()
}

/// Stores a seller's new state.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(tx: &mut TenantTx, seller: &Seller, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts.sellers SET version = $2, company_name = $3, status = $4, time_zone = $5, \
           platform_fee_percent = $6, posts_per_second = $7, updated_at = $8 WHERE seller_id = $1",
    )
    .bind(seller.id.uuid())
    .bind(columns::big(seller.version))
    .bind(seller.company_name.as_str())
    .bind(seller.status.code())
    .bind(seller.time_zone.name())
    .bind(seller.fee.decimal())
    .bind(columns::small(seller.posts_per_second.get()))
    .bind(now)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO accounts.retention (seller_id, days) VALUES ($1, $2) \
         ON CONFLICT (seller_id) DO UPDATE SET days = excluded.days WHERE retention.days <> excluded.days",
    )
    .bind(seller.id.uuid())
    .bind(columns::small(seller.retention.get()))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

pub(super) fn read(row: &PgRow) -> Result<Seller, sqlx::Error> {
    let fee: Decimal = row.try_get("platform_fee_percent")?;
    Ok(Seller {
        id: SellerId::from_uuid(row.try_get("seller_id")?),
        version: columns::version(row)?,
        company_name: columns::name(row, "company_name")?,
        status: columns::status(row)?,
        time_zone: TimeZone::parse("time_zone", row.try_get("time_zone")?).map_err(columns::corrupt)?,
        currency: columns::currency(row)?,
        fee: FeePercent::from_decimal(fee)
            .ok_or_else(|| sqlx::Error::Decode("column platform_fee_percent is out of range".into()))?,
        posts_per_second: columns::posts_per_second(row)?,
        retention: u32::try_from(row.try_get::<i32, _>("retention_days")?)
            .map_err(columns::corrupt)
            .and_then(|days| RetentionDays::new("retention_days", days).map_err(columns::corrupt))?,
    })
}
