//! Tables `notifier.buyers` and `notifier.sellers`: who they are, as accounts says. Older news never overwrite newer ones.

use leadflow_kernel::{BuyerId, SellerId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A buyer's record.
#[derive(Debug, Clone)]
pub struct BuyerNews {
    /// Which.
    pub id: BuyerId,
    /// Whose; that never changes.
    pub seller: SellerId,
    /// Counts changes.
    pub version: u64,
    /// His company.
    pub company_name: String,
}

/// How a buyer is reached.
#[derive(Debug, Clone)]
pub struct ContactNews {
    /// Which.
    pub buyer: BuyerId,
    /// Whose.
    pub seller: SellerId,
    /// Counts changes.
    pub version: u64,
    /// Of the person.
    pub name: String,
    /// Empty: none.
    pub email: String,
    /// It is known to be his.
    pub email_verified: bool,
    /// E.164; empty: none.
    pub phone: String,
}

/// A seller's record.
#[derive(Debug, Clone)]
pub struct SellerNews {
    /// Which.
    pub id: SellerId,
    /// Counts changes.
    pub version: u64,
    /// His company.
    pub company_name: String,
    /// IANA name.
    pub time_zone: String,
}

fn version(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The newest of each, in the order of their ids: batches with the same records cannot deadlock.
fn newest<T, K: Ord>(told: &[T], id: impl Fn(&T) -> K, version: impl Fn(&T) -> u64) -> Vec<&T> {
    let mut sorted: Vec<&T> = told.iter().collect();
    sorted.sort_by(|a, b| id(a).cmp(&id(b)).then(version(b).cmp(&version(a))));
    sorted.dedup_by(|a, b| id(a) == id(b));
    sorted
}

/// Remembers buyers.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn remember(connection: &mut PgConnection, told: &[BuyerNews]) -> Result<(), sqlx::Error> {
    let told = newest(told, |b| b.id, |b| b.version);
    sqlx::query(
        "INSERT INTO notifier.buyers AS b (buyer_id, seller_id, version, company_name) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[]) \
         ON CONFLICT (buyer_id) DO UPDATE SET version = excluded.version, company_name = excluded.company_name \
         WHERE b.version < excluded.version",
    )
    .bind(told.iter().map(|b| b.id.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|b| b.seller.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|b| version(b.version)).collect::<Vec<_>>())
    .bind(told.iter().map(|b| b.company_name.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Remembers how buyers are reached, also before their records are heard of.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn remember_contacts(connection: &mut PgConnection, told: &[ContactNews]) -> Result<(), sqlx::Error> {
    let told = newest(told, |c| c.buyer, |c| c.version);
    sqlx::query(
        "INSERT INTO notifier.buyers AS b (buyer_id, seller_id, contact_version, contact_name, email, email_verified, phone) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[], $5::text[], $6::bool[], $7::text[]) \
         ON CONFLICT (buyer_id) DO UPDATE SET contact_version = excluded.contact_version, \
           contact_name = excluded.contact_name, email = excluded.email, email_verified = excluded.email_verified, \
           phone = excluded.phone \
         WHERE b.contact_version < excluded.contact_version AND b.seller_id = excluded.seller_id",
    )
    .bind(told.iter().map(|c| c.buyer.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|c| c.seller.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|c| version(c.version)).collect::<Vec<_>>())
    .bind(told.iter().map(|c| c.name.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|c| c.email.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|c| c.email_verified).collect::<Vec<_>>())
    .bind(told.iter().map(|c| c.phone.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Remembers sellers.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn remember_sellers(connection: &mut PgConnection, told: &[SellerNews]) -> Result<(), sqlx::Error> {
    let told = newest(told, |s| s.id, |s| s.version);
    sqlx::query(
        "INSERT INTO notifier.sellers AS s (seller_id, version, company_name, time_zone) \
         SELECT * FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[]) \
         ON CONFLICT (seller_id) DO UPDATE SET version = excluded.version, company_name = excluded.company_name, \
           time_zone = excluded.time_zone \
         WHERE s.version < excluded.version",
    )
    .bind(told.iter().map(|s| s.id.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|s| version(s.version)).collect::<Vec<_>>())
    .bind(told.iter().map(|s| s.company_name.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|s| s.time_zone.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// The tenant of a buyer, if the directory has told.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn tenant_of(connection: &mut PgConnection, buyer: BuyerId) -> Result<Option<SellerId>, sqlx::Error> {
    let found: Option<Uuid> = sqlx::query_scalar("SELECT seller_id FROM notifier.buyers WHERE buyer_id = $1")
        .bind(buyer.uuid())
        .fetch_optional(connection)
        .await?;
    Ok(found.map(SellerId::from_uuid))
}

/// Whose phone has this number, with their tenants.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn with_phone(connection: &mut PgConnection, phone: &str) -> Result<Vec<(SellerId, BuyerId)>, sqlx::Error> {
    let found: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT seller_id, buyer_id FROM notifier.buyers WHERE phone = $1 AND phone <> '' ORDER BY buyer_id",
    )
    .bind(phone)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|(seller, buyer)| (SellerId::from_uuid(seller), BuyerId::from_uuid(buyer))).collect())
}
