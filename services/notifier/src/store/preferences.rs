//! Table `notifier.preferences`, and who it is whose preferences they are.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier_domain::{Preferences, Quiet};
use leadflow_platform::db::TenantTx;
use sqlx::{Row, postgres::PgRow};

/// What [`read`] needs, column by column: a statement that reads whole rows fails once its table has been given another column.
macro_rules! whole_preferences {
    () => {
        "email_on_lead, sms_on_lead, email_on_low_balance, sms_on_low_balance, email_on_return, daily_summary, \
         sms_agreed_at, quiet_from, quiet_until, time_zone, version"
    };
}

/// The phone of the tenant's buyer, empty if he has none; `None` without such a buyer.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn phone_of(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT phone FROM notifier.buyers WHERE seller_id = $1 AND buyer_id = $2")
        .bind(seller.uuid())
        .bind(buyer.uuid())
        .fetch_optional(&mut **tx)
        .await
}

/// A buyer's preferences, if he ever set them.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Option<Preferences>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_preferences!(),
        " FROM notifier.preferences WHERE seller_id = $1 AND buyer_id = $2"
    ))
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// A buyer's preferences, which nobody else can change until the transaction ends; those of whoever said nothing are written
/// down first. `None` when they are another tenant's.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    now: DateTime<Utc>,
) -> Result<Option<Preferences>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO notifier.preferences (buyer_id, seller_id, version, updated_at) VALUES ($1, $2, 0, $3) \
         ON CONFLICT (buyer_id) DO NOTHING",
    )
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    sqlx::query(concat!(
        "SELECT ",
        whole_preferences!(),
        " FROM notifier.preferences WHERE seller_id = $1 AND buyer_id = $2 FOR UPDATE"
    ))
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// Stores preferences that were locked.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    wanted: &Preferences,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.preferences SET email_on_lead = $3, sms_on_lead = $4, email_on_low_balance = $5, \
           sms_on_low_balance = $6, email_on_return = $7, daily_summary = $8, sms_agreed_at = $9, quiet_from = $10, \
           quiet_until = $11, time_zone = $12, version = $13, updated_at = $14 \
         WHERE seller_id = $1 AND buyer_id = $2",
    )
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(wanted.email_on_lead)
    .bind(wanted.sms_on_lead)
    .bind(wanted.email_on_low_balance)
    .bind(wanted.sms_on_low_balance)
    .bind(wanted.email_on_return)
    .bind(wanted.daily_summary)
    .bind(wanted.sms_agreed_at)
    .bind(i32::try_from(wanted.quiet.from).unwrap_or(0))
    .bind(i32::try_from(wanted.quiet.until).unwrap_or(0))
    .bind(wanted.time_zone.map_or("", |zone| zone.name()))
    .bind(i64::try_from(wanted.version).unwrap_or(i64::MAX))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// A row of the table.
///
/// # Errors
/// Those of PostgreSQL.
pub fn read(row: &PgRow) -> Result<Preferences, sqlx::Error> {
    let minute = |column| row.try_get::<i32, _>(column).map(|minute| u32::try_from(minute).unwrap_or(0));
    Ok(Preferences {
        email_on_lead: row.try_get("email_on_lead")?,
        sms_on_lead: row.try_get("sms_on_lead")?,
        email_on_low_balance: row.try_get("email_on_low_balance")?,
        sms_on_low_balance: row.try_get("sms_on_low_balance")?,
        email_on_return: row.try_get("email_on_return")?,
        daily_summary: row.try_get("daily_summary")?,
        sms_agreed_at: row.try_get("sms_agreed_at")?,
        quiet: Quiet { from: minute("quiet_from")?, until: minute("quiet_until")? },
        // One that is not known any more is as none.
        time_zone: row.try_get::<&str, _>("time_zone")?.parse().ok(),
        version: u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or(0),
    })
}
