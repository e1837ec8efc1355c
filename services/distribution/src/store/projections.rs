//! What is known of sellers and buyers, from the directory.

use leadflow_distribution_domain::Status;
use leadflow_kernel::{BuyerId, CampaignId, Currency, SellerId, SubscriptionId};
use leadflow_platform::db::TenantTx;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::{self, status_text};

/// A tenant.
#[derive(Debug, Clone)]
pub struct Seller {
    /// Its id.
    pub id: SellerId,
    /// Of the record.
    pub version: u64,
    /// For people.
    pub company_name: String,
    /// Whether it sells.
    pub status: Status,
    /// IANA name; checked before it is stored.
    pub time_zone: String,
    /// Of its prices.
    pub currency: Currency,
    /// After how many days its leads are masked; 0: the service's setting.
    pub retention_days: u32,
}

/// A buyer.
#[derive(Debug, Clone)]
pub struct Buyer {
    /// Its id.
    pub id: BuyerId,
    /// Its tenant.
    pub seller: SellerId,
    /// Of the record.
    pub version: u64,
    /// For people.
    pub company_name: String,
    /// Whether it buys.
    pub status: Status,
    /// 1-10.
    pub priority: u8,
}

/// Stores newer versions; gives back the ids of those that were news. One id must not come twice.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn put_sellers(connection: &mut PgConnection, sellers: &[Seller]) -> Result<Vec<SellerId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO distribution.sellers AS s (seller_id, version, company_name, status, time_zone, currency, retention_days) \
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[]) AS t(id) ORDER BY t.id \
         ON CONFLICT (seller_id) DO UPDATE SET version = excluded.version, company_name = excluded.company_name, \
           status = excluded.status, time_zone = excluded.time_zone, currency = excluded.currency, \
           retention_days = excluded.retention_days \
         WHERE s.version < excluded.version RETURNING seller_id",
    )
    .bind(sellers.iter().map(|s| s.id.uuid()).collect::<Vec<_>>())
    .bind(sellers.iter().map(|s| stored(s.version)).collect::<Vec<_>>())
    .bind(sellers.iter().map(|s| s.company_name.as_str()).collect::<Vec<_>>())
    .bind(sellers.iter().map(|s| status_text(s.status)).collect::<Vec<_>>())
    .bind(sellers.iter().map(|s| s.time_zone.as_str()).collect::<Vec<_>>())
    .bind(sellers.iter().map(|s| s.currency.code().to_owned()).collect::<Vec<_>>())
    .bind(sellers.iter().map(|s| columns::signed(s.retention_days)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(SellerId::from).collect())
}

/// As [`put_sellers`]. A buyer never changes its tenant.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn put_buyers(connection: &mut PgConnection, buyers: &[Buyer]) -> Result<Vec<BuyerId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO distribution.buyers AS b (buyer_id, seller_id, version, company_name, status, priority) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::smallint[]) AS t(id) ORDER BY t.id \
         ON CONFLICT (buyer_id) DO UPDATE SET version = excluded.version, company_name = excluded.company_name, \
           status = excluded.status, priority = excluded.priority \
         WHERE b.version < excluded.version AND b.seller_id = excluded.seller_id RETURNING buyer_id",
    )
    .bind(buyers.iter().map(|b| b.id.uuid()).collect::<Vec<_>>())
    .bind(buyers.iter().map(|b| b.seller.uuid()).collect::<Vec<_>>())
    .bind(buyers.iter().map(|b| stored(b.version)).collect::<Vec<_>>())
    .bind(buyers.iter().map(|b| b.company_name.as_str()).collect::<Vec<_>>())
    .bind(buyers.iter().map(|b| status_text(b.status)).collect::<Vec<_>>())
    .bind(buyers.iter().map(|b| i16::from(b.priority)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(BuyerId::from).collect())
}

/// The currency of a tenant, kept from changing until the transaction ends. `None`: not known (yet).
///
/// # Errors
/// Those of PostgreSQL.
pub async fn hold_seller(tx: &mut TenantTx, seller: SellerId) -> Result<Option<Currency>, sqlx::Error> {
    let text: Option<String> =
        sqlx::query_scalar("SELECT currency FROM distribution.sellers WHERE seller_id = $1 FOR SHARE")
            .bind(seller.uuid())
            .fetch_optional(&mut **tx)
            .await?;
    text.map(|text| columns::currency(&text)).transpose()
}

/// Whether the tenant has this buyer, which is kept from changing until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn hold_buyer(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<bool, sqlx::Error> {
    let found: Option<bool> =
        sqlx::query_scalar("SELECT true FROM distribution.buyers WHERE buyer_id = $1 AND seller_id = $2 FOR SHARE")
            .bind(buyer.uuid())
            .bind(seller.uuid())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(found.is_some())
}

/// Campaigns of these tenants, and those that these buyers subscribe to.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn campaigns_of(
    connection: &mut PgConnection,
    sellers: &[SellerId],
    buyers: &[BuyerId],
) -> Result<Vec<CampaignId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT campaign_id FROM distribution.campaigns WHERE seller_id = ANY($1) \
         UNION SELECT campaign_id FROM distribution.subscriptions WHERE buyer_id = ANY($2) AND status <> 'archived'",
    )
    .bind(sellers.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(buyers.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(CampaignId::from).collect())
}

/// Who subscribes.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its buyer.
    pub buyer: BuyerId,
    /// The buyer's name.
    pub name: String,
}

/// Who is behind these subscriptions of a tenant.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn subscribers(
    tx: &mut TenantTx,
    seller: SellerId,
    subscriptions: &[SubscriptionId],
) -> Result<Vec<Subscriber>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT u.subscription_id, u.buyer_id, b.company_name \
         FROM distribution.subscriptions u JOIN distribution.buyers b USING (buyer_id) \
         WHERE u.seller_id = $1 AND u.subscription_id = ANY($2)",
    )
    .bind(seller.uuid())
    .bind(subscriptions.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await?;
    let subscriber = |(subscription, buyer, name): (Uuid, Uuid, String)| Subscriber {
        subscription: subscription.into(),
        buyer: buyer.into(),
        name,
    };
    Ok(rows.into_iter().map(subscriber).collect())
}

fn stored(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
