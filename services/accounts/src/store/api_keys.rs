//! Table `accounts.api_keys`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{ApiKey, Supplier};
use leadflow_kernel::{ApiKeyId, SellerId, SupplierId};
use leadflow_platform::db::TenantTx;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::columns;

/// Keys read with their supplier: all that work, then the newest of those that do not.
const READ_AT_MOST: i64 = 50;

/// Stores a new key of `supplier`; false when its id is taken, by whomever.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(tx: &mut TenantTx, supplier: &Supplier, key: &ApiKey) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts.api_keys (key_id, supplier_id, seller_id, sha256, hint, created_at, expires_at, revoked_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key_id) DO NOTHING",
    )
    .bind(key.id.uuid())
    .bind(supplier.id.uuid())
    .bind(supplier.seller_id.uuid())
    .bind(key.sha256.as_slice())
    .bind(&key.hint)
    .bind(key.created_at)
    .bind(key.expires_at)
    .bind(key.revoked_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores when keys end.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(tx: &mut TenantTx, seller_id: SellerId, keys: &[ApiKey]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts.api_keys k SET expires_at = t.expires_at, revoked_at = t.revoked_at \
         FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS t(key_id, expires_at, revoked_at) \
         WHERE k.key_id = t.key_id AND k.seller_id = $4 \
           AND (k.expires_at, k.revoked_at) IS DISTINCT FROM (t.expires_at, t.revoked_at)",
    )
    .bind(keys.iter().map(|key| key.id.uuid()).collect::<Vec<Uuid>>())
    .bind(keys.iter().map(|key| key.expires_at).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.revoked_at).collect::<Vec<_>>())
    .bind(seller_id.uuid())
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// The supplier's keys that work at `now` and the newest that do not, oldest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_supplier(
    tx: &mut TenantTx,
    seller_id: SellerId,
    supplier_id: SupplierId,
    now: DateTime<Utc>,
) -> Result<Vec<ApiKey>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT key_id, sha256, hint, created_at, expires_at, revoked_at FROM accounts.api_keys WHERE supplier_id = $1 AND seller_id = $2 \
         ORDER BY (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)) DESC, created_at DESC, key_id DESC \
         LIMIT $4",
    )
    .bind(supplier_id.uuid())
    .bind(seller_id.uuid())
    .bind(now)
    .bind(READ_AT_MOST)
    .fetch_all(&mut **tx)
    .await?;
    let mut keys = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by_key(|key| (key.created_at, key.id));
    Ok(keys)
}

/// The keys of several suppliers, each as [`of_supplier`] gives them.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_suppliers(
    tx: &mut TenantTx,
    seller_id: SellerId,
    suppliers: &[SupplierId],
    now: DateTime<Utc>,
) -> Result<HashMap<SupplierId, Vec<ApiKey>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT k.supplier_id, k.key_id, k.sha256, k.hint, k.created_at, k.expires_at, k.revoked_at FROM unnest($1::uuid[]) AS s(supplier_id) CROSS JOIN LATERAL ( \
           SELECT * FROM accounts.api_keys k WHERE k.supplier_id = s.supplier_id AND k.seller_id = $2 \
           ORDER BY (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)) DESC, created_at DESC, \
             key_id DESC LIMIT $4) k ORDER BY k.created_at, k.key_id",
    )
    .bind(suppliers.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .bind(seller_id.uuid())
    .bind(now)
    .bind(READ_AT_MOST)
    .fetch_all(&mut **tx)
    .await?;
    let mut keys: HashMap<SupplierId, Vec<ApiKey>> = HashMap::new();
    for row in &rows {
        keys.entry(SupplierId::from_uuid(row.try_get("supplier_id")?)).or_default().push(read(row)?);
    }
    Ok(keys)
}

fn read(row: &PgRow) -> Result<ApiKey, sqlx::Error> {
    let sha256: Vec<u8> = row.try_get("sha256")?;
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(row.try_get("key_id")?),
        sha256: sha256.as_slice().try_into().map_err(columns::corrupt)?,
        hint: row.try_get("hint")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
