//! Table `notifier.endpoints`.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{model::Endpoint, secrets::Sealed};

/// The endpoints of these buyers, each asked for within its tenant.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyers(
    connection: &mut PgConnection,
    buyers: &[(SellerId, BuyerId)],
) -> Result<Vec<Endpoint>, sqlx::Error> {
    let rows = sqlx::query(
        // OFFSET 0 keeps this one look-up by key for each pair, whatever the plan was made for.
        "SELECT e.* FROM unnest($1::uuid[], $2::uuid[]) AS t(seller_id, buyer_id) CROSS JOIN LATERAL \
           (SELECT * FROM notifier.endpoints p WHERE p.seller_id = t.seller_id AND p.buyer_id = t.buyer_id OFFSET 0) e",
    )
    .bind(buyers.iter().map(|(seller, _)| seller.uuid()).collect::<Vec<Uuid>>())
    .bind(buyers.iter().map(|(_, buyer)| buyer.uuid()).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// A buyer's endpoint.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyer(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Option<Endpoint>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM notifier.endpoints WHERE seller_id = $1 AND buyer_id = $2")
        .bind(seller.uuid())
        .bind(buyer.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// [`of_buyer`], locked until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Option<Endpoint>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM notifier.endpoints WHERE seller_id = $1 AND buyer_id = $2 FOR UPDATE")
        .bind(seller.uuid())
        .bind(buyer.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Stores a new endpoint; false when its id is taken or the buyer has one already.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(tx: &mut TenantTx, endpoint: &Endpoint, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO notifier.endpoints (endpoint_id, seller_id, buyer_id, url, secret, secret_key_id, enabled, \
           disabled_reason, failing_since, created_at, updated_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11) ON CONFLICT DO NOTHING",
    )
    .bind(endpoint.id.uuid())
    .bind(endpoint.seller.uuid())
    .bind(endpoint.buyer.uuid())
    .bind(&endpoint.url)
    .bind(&endpoint.secret.bytes)
    .bind(&endpoint.secret.key_id)
    .bind(endpoint.enabled)
    .bind(&endpoint.disabled_reason)
    .bind(endpoint.failing_since)
    .bind(now)
    .bind(stored(endpoint.version))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores what its owner changed.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(tx: &mut TenantTx, endpoint: &Endpoint, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.endpoints SET url = $3, secret = $4, secret_key_id = $5, enabled = $6, disabled_reason = $7, \
           failing_since = $8, updated_at = $9, version = $10 WHERE endpoint_id = $1 AND seller_id = $2",
    )
    .bind(endpoint.id.uuid())
    .bind(endpoint.seller.uuid())
    .bind(&endpoint.url)
    .bind(&endpoint.secret.bytes)
    .bind(&endpoint.secret.key_id)
    .bind(endpoint.enabled)
    .bind(&endpoint.disabled_reason)
    .bind(endpoint.failing_since)
    .bind(now)
    .bind(stored(endpoint.version))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// How many secrets are encrypted with which key.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn keys_in_use(connection: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT secret_key_id, count(*) FROM notifier.endpoints GROUP BY 1 ORDER BY 1")
        .fetch_all(connection)
        .await
}

/// Up to `limit` secrets that are encrypted with one of these keys, of endpoints after `after` in the order of ids.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sealed_with(
    connection: &mut PgConnection,
    keys: &[&str],
    after: Option<EndpointId>,
    limit: u32,
) -> Result<Vec<(EndpointId, Sealed)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT endpoint_id, secret_key_id, secret FROM notifier.endpoints \
         WHERE secret_key_id = ANY($1) AND ($2::uuid IS NULL OR endpoint_id > $2) ORDER BY endpoint_id LIMIT $3",
    )
    .bind(keys)
    .bind(after.map(EndpointId::uuid))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let sealed = Sealed { key_id: row.try_get("secret_key_id")?, bytes: row.try_get("secret")? };
            Ok((EndpointId::from_uuid(row.try_get("endpoint_id")?), sealed))
        })
        .collect()
}

/// A secret as it was read, and the same under another key.
#[derive(Debug, Clone)]
pub struct Resealed {
    /// Whose.
    pub endpoint: EndpointId,
    /// As it was read.
    pub before: Sealed,
    /// Under the other key.
    pub after: Sealed,
}

/// Replaces secrets by the same under another key, those that are still as they were read; how many that were. The others
/// have been set anew by their owners meanwhile.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn reseal(connection: &mut PgConnection, resealed: &[Resealed]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE notifier.endpoints e SET secret = t.secret, secret_key_id = t.key_id \
         FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS t(endpoint_id, before, secret, key_id) \
         WHERE e.endpoint_id = ANY($1) AND e.endpoint_id = t.endpoint_id AND e.secret = t.before",
    )
    .bind(resealed.iter().map(|one| one.endpoint.uuid()).collect::<Vec<Uuid>>())
    .bind(resealed.iter().map(|one| one.before.bytes.as_slice()).collect::<Vec<_>>())
    .bind(resealed.iter().map(|one| one.after.bytes.as_slice()).collect::<Vec<_>>())
    .bind(resealed.iter().map(|one| one.after.key_id.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// An endpoint whose health a result bears on.
#[derive(Debug, Clone)]
pub struct Ailing {
    /// Its id.
    pub id: EndpointId,
    /// The tenant.
    pub seller: SellerId,
    /// Whose it is.
    pub buyer: BuyerId,
    /// The first failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
}

/// Locks, in the order of their ids, those of `all` that are in use and either fail already or are
/// among `failed`: a success of a healthy endpoint changes nothing and locks nothing.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_ailing(
    connection: &mut PgConnection,
    all: &[EndpointId],
    failed: &[EndpointId],
) -> Result<Vec<Ailing>, sqlx::Error> {
    let uuids = |ids: &[EndpointId]| ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>();
    let rows = sqlx::query(
        "SELECT endpoint_id, seller_id, buyer_id, failing_since FROM notifier.endpoints \
         WHERE endpoint_id = ANY($1) AND enabled AND (failing_since IS NOT NULL OR endpoint_id = ANY($2)) \
         ORDER BY endpoint_id FOR UPDATE",
    )
    .bind(uuids(all))
    .bind(uuids(failed))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Ailing {
                id: EndpointId::from_uuid(row.try_get("endpoint_id")?),
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
                buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
                failing_since: row.try_get("failing_since")?,
            })
        })
        .collect()
}

/// An endpoint's new health.
#[derive(Debug, Clone, Copy)]
pub struct NewHealth {
    /// Whose.
    pub id: EndpointId,
    /// The first failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why it is switched off, if it is.
    pub disable: Option<&'static str>,
}

/// Stores new health.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn set_health(
    connection: &mut PgConnection,
    changes: &[NewHealth],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.endpoints e SET failing_since = t.failing_since, updated_at = $4, \
           enabled = e.enabled AND t.reason IS NULL, disabled_reason = COALESCE(t.reason, e.disabled_reason), \
           version = e.version + (t.reason IS NOT NULL)::int \
         FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t(endpoint_id, failing_since, reason) \
         WHERE e.endpoint_id = ANY($1) AND e.endpoint_id = t.endpoint_id",
    )
    .bind(changes.iter().map(|c| c.id.uuid()).collect::<Vec<Uuid>>())
    .bind(changes.iter().map(|c| c.failing_since).collect::<Vec<_>>())
    .bind(changes.iter().map(|c| c.disable).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await
    .map(drop)
}

pub(super) fn read(row: &PgRow) -> Result<Endpoint, sqlx::Error> {
    Ok(Endpoint {
        id: EndpointId::from_uuid(row.try_get("endpoint_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
        url: row.try_get("url")?,
        secret: Sealed { key_id: row.try_get("secret_key_id")?, bytes: row.try_get("secret")? },
        enabled: row.try_get("enabled")?,
        disabled_reason: row.try_get("disabled_reason")?,
        failing_since: row.try_get("failing_since")?,
        version: u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or(0),
    })
}

fn stored(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
