//! Billing's copy of sellers and buyers.

use leadflow_billing_domain::{Account, AccountKind, Allowance, BuyerStatus, Terms};
use leadflow_kernel::{BuyerId, Currency, SellerId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::unreadable;

/// A seller's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SellerRecord {
    /// The tenant.
    pub id: SellerId,
    /// Of the record.
    pub version: i64,
    /// What it fixes for its wallets.
    pub terms: Terms,
}

/// A buyer's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuyerRecord {
    /// Whose wallet.
    pub id: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// Of the record.
    pub version: i64,
    /// What it allows.
    pub allowance: Allowance,
}

/// Locks these sellers in id order, making rows for those never heard of, and tells which currency
/// each one has: `None` until its own record has come. Two transactions about one tenant wait for each
/// other here, so a seller's and its buyer's record can arrive in any order and at once.
pub async fn lock_sellers(
    connection: &mut PgConnection,
    sellers: impl IntoIterator<Item = SellerId>,
) -> Result<Vec<(SellerId, Option<Currency>)>, sqlx::Error> {
    let mut ids: Vec<Uuid> = sellers.into_iter().map(SellerId::uuid).collect();
    ids.sort_unstable();
    ids.dedup();
    sqlx::query(
        "INSERT INTO billing.sellers (seller_id) SELECT id FROM unnest($1::uuid[]) AS t(id) ORDER BY id \
         ON CONFLICT DO NOTHING",
    )
    .bind(&ids)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query(
        "SELECT seller_id, currency FROM billing.sellers WHERE seller_id = ANY($1) ORDER BY seller_id FOR UPDATE",
    )
    .bind(&ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let currency = row.try_get::<Option<&str>, _>("currency")?;
            let currency = currency.map(Currency::parse).transpose().map_err(unreadable)?;
            Ok((SellerId::from_uuid(row.try_get("seller_id")?), currency))
        })
        .collect()
}

/// Takes over the records that are newer than what is stored. A currency stays what it was first:
/// there may be money in it.
pub async fn save_sellers(connection: &mut PgConnection, records: &[SellerRecord]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE billing.sellers s SET version = t.version, currency = coalesce(s.currency, t.currency), \
           time_zone = t.time_zone, platform_fee_percent = t.fee \
         FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::numeric[]) \
           AS t(seller_id, version, currency, time_zone, fee) \
         WHERE s.seller_id = t.seller_id AND s.version < t.version",
    )
    .bind(records.iter().map(|record| record.id.uuid()).collect::<Vec<Uuid>>())
    .bind(records.iter().map(|record| record.version).collect::<Vec<i64>>())
    .bind(records.iter().map(|record| record.terms.currency.code().to_owned()).collect::<Vec<String>>())
    .bind(records.iter().map(|record| record.terms.time_zone.name()).collect::<Vec<&str>>())
    .bind(records.iter().map(|record| record.terms.fee_percent).collect::<Vec<Decimal>>())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Locks the wallets of these buyers, in id order, and tells what their records allowed so far.
pub async fn lock_allowances(
    connection: &mut PgConnection,
    buyers: impl IntoIterator<Item = BuyerId>,
) -> Result<Vec<BuyerRecord>, sqlx::Error> {
    let mut ids: Vec<Uuid> = buyers.into_iter().map(BuyerId::uuid).collect();
    ids.sort_unstable();
    let rows = sqlx::query(
        "SELECT buyer_id, seller_id, version, status, weekly_limit, monthly_limit FROM billing.wallets \
         WHERE buyer_id = ANY($1) ORDER BY buyer_id FOR UPDATE",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let status = row.try_get::<&str, _>("status")?;
            let allowance = Allowance {
                status: BuyerStatus::from_name(status).ok_or_else(|| unreadable(format!("status {status:?}")))?,
                weekly_limit: row.try_get("weekly_limit")?,
                monthly_limit: row.try_get("monthly_limit")?,
            };
            Ok(BuyerRecord {
                id: BuyerId::from_uuid(row.try_get("buyer_id")?),
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
                version: row.try_get("version")?,
                allowance,
            })
        })
        .collect()
}

/// Makes or updates the wallets of these records, which must be newer than what is stored.
pub async fn save_buyers(connection: &mut PgConnection, records: &[BuyerRecord]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.wallets AS w (buyer_id, seller_id, version, status, weekly_limit, monthly_limit) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::numeric[], $6::numeric[]) \
           AS t(buyer_id, seller_id, version, status, weekly_limit, monthly_limit) ORDER BY buyer_id \
         ON CONFLICT (buyer_id) DO UPDATE SET version = excluded.version, status = excluded.status, \
           weekly_limit = excluded.weekly_limit, monthly_limit = excluded.monthly_limit \
         WHERE w.version < excluded.version AND w.seller_id = excluded.seller_id",
    )
    .bind(records.iter().map(|record| record.id.uuid()).collect::<Vec<Uuid>>())
    .bind(records.iter().map(|record| record.seller.uuid()).collect::<Vec<Uuid>>())
    .bind(records.iter().map(|record| record.version).collect::<Vec<i64>>())
    .bind(records.iter().map(|record| record.allowance.status.name()).collect::<Vec<&str>>())
    .bind(records.iter().map(|record| record.allowance.weekly_limit).collect::<Vec<Option<Decimal>>>())
    .bind(records.iter().map(|record| record.allowance.monthly_limit).collect::<Vec<Option<Decimal>>>())
    .execute(connection)
    .await
    .map(|_| ())
}

/// The buyers of a tenant that have a wallet.
pub async fn buyers_of(connection: &mut PgConnection, tenant: SellerId) -> Result<Vec<BuyerId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT buyer_id FROM billing.wallets WHERE seller_id = $1")
        .bind(tenant.uuid())
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(BuyerId::from_uuid).collect())
}

/// Opens a wallet's ledger accounts, or a tenant's own, where they are missing.
pub async fn open_accounts(connection: &mut PgConnection, accounts: &[(Account, Currency)]) -> Result<(), sqlx::Error> {
    if accounts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO billing.accounts (account_id, kind, seller_id, buyer_id, currency) \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[]) \
           AS t(account_id, kind, seller_id, buyer_id, currency) ORDER BY account_id ON CONFLICT DO NOTHING",
    )
    .bind(accounts.iter().map(|(account, _)| account.id().uuid()).collect::<Vec<Uuid>>())
    .bind(accounts.iter().map(|(account, _)| account.kind.name()).collect::<Vec<&str>>())
    .bind(accounts.iter().map(|(account, _)| account.seller.uuid()).collect::<Vec<Uuid>>())
    .bind(accounts.iter().map(|(account, _)| account.buyer.map(Uuid::from)).collect::<Vec<Option<Uuid>>>())
    .bind(accounts.iter().map(|(_, currency)| currency.code().to_owned()).collect::<Vec<String>>())
    .execute(connection)
    .await
    .map(|_| ())
}

/// The accounts that every tenant has.
#[must_use]
pub fn accounts_of_seller(seller: SellerId) -> [Account; 3] {
    [AccountKind::SellerEarnings, AccountKind::PlatformFees, AccountKind::ExternalFunding]
        .map(|kind| Account::of_seller(kind, seller))
}
