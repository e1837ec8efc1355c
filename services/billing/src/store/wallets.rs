//! Reading and locking wallets, together with their tenant's terms.

use chrono::NaiveDate;
use chrono_tz::Tz;
use leadflow_billing_domain::{Spent, Terms, Wallet};
use leadflow_kernel::{BuyerId, Currency, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

/// Wallets of tenants that are known; the others cannot pay anything yet.
macro_rules! wallets {
    ($tail:literal) => {
        concat!(
            "SELECT w.buyer_id, w.seller_id, w.status, w.balance, w.held, w.spent_week, w.week_start, w.spent_month, \
                    w.month_start, w.weekly_limit, w.monthly_limit, w.low_balance_threshold, w.lines, \
                    w.suspended, w.debt, w.open_disputes, \
                    s.currency, s.time_zone, s.platform_fee_percent \
             FROM billing.wallets w JOIN billing.sellers s ON s.seller_id = w.seller_id AND s.version > 0 ",
            $tail
        )
    };
}

/// Locks the wallets of these buyers, in id order. With `tenant`, only those of this seller. Buyers
/// without a wallet are left out.
pub async fn lock(
    connection: &mut PgConnection,
    tenant: Option<SellerId>,
    buyers: impl IntoIterator<Item = BuyerId>,
) -> Result<Vec<Wallet>, sqlx::Error> {
    let mut ids: Vec<Uuid> = buyers.into_iter().map(BuyerId::uuid).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = sqlx::query(wallets!(
        "WHERE w.buyer_id = ANY($1) AND ($2::uuid IS NULL OR w.seller_id = $2) ORDER BY w.buyer_id FOR UPDATE OF w"
    ))
    .bind(ids)
    .bind(tenant.map(SellerId::uuid))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// One wallet, as it is at this moment.
pub async fn find(tx: &mut TenantTx, tenant: SellerId, buyer: BuyerId) -> Result<Option<Wallet>, sqlx::Error> {
    let row = sqlx::query(wallets!("WHERE w.buyer_id = $1 AND w.seller_id = $2"))
        .bind(buyer.uuid())
        .bind(tenant.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<Wallet, sqlx::Error> {
    let spent = |start: &str, amount: &str| -> Result<Spent, sqlx::Error> {
        Ok(Spent { start: row.try_get::<NaiveDate, _>(start)?, amount: row.try_get::<Decimal, _>(amount)? })
    };
    let terms = Terms {
        currency: Currency::parse(row.try_get("currency")?).map_err(unreadable)?,
        time_zone: row.try_get::<&str, _>("time_zone")?.parse::<Tz>().map_err(|error| unreadable(error.to_string()))?,
        fee_percent: row.try_get("platform_fee_percent")?,
    };
    Ok(Wallet {
        buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        terms,
        open: row.try_get::<&str, _>("status")? == "active",
        suspended: row.try_get("suspended")?,
        balance: row.try_get("balance")?,
        held: row.try_get("held")?,
        week: spent("week_start", "spent_week")?,
        month: spent("month_start", "spent_month")?,
        weekly_limit: row.try_get("weekly_limit")?,
        monthly_limit: row.try_get("monthly_limit")?,
        low_balance_threshold: row.try_get("low_balance_threshold")?,
        debt: row.try_get("debt")?,
        open_disputes: u32::try_from(row.try_get::<i32, _>("open_disputes")?).map_err(unreadable)?,
        lines: row.try_get("lines")?,
    })
}
