//! Table `accounts.suppliers`, with the keys of each supplier.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Categories, Supplier};
use leadflow_kernel::{CategoryId, SellerId, SupplierId};
use leadflow_platform::db::TenantTx;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{api_keys, columns};

/// What [`read`] needs, column by column: see [`super`].
macro_rules! whole_supplier {
    () => {
        "supplier_id, seller_id, version, name, status, category_ids, posts_per_second"
    };
}

/// Stores a new supplier; false when its id is taken.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    tx: &mut TenantTx,
    supplier: &Supplier,
    created_with: [u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        // No index is named: there is a second one that is unique, and of two who insert at once one may meet the other's row there first.
        "INSERT INTO accounts.suppliers (supplier_id, seller_id, version, name, status, category_ids, \
           posts_per_second, created_with, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT DO NOTHING",
    )
    .bind(supplier.id.uuid())
    .bind(supplier.seller_id.uuid())
    .bind(columns::big(supplier.version))
    .bind(supplier.name.as_str())
    .bind(supplier.status.code())
    .bind(category_uuids(supplier))
    .bind(columns::small(supplier.posts_per_second.get()))
    .bind(created_with.as_slice())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The tenant's supplier, if it was created with this content.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_created_with(
    tx: &mut TenantTx,
    seller_id: SellerId,
    id: SupplierId,
    created_with: [u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Supplier>, sqlx::Error> {
    // Shared lock: the keys, read by a second statement, must be of the same version.
    let row = sqlx::query(concat!(
        "SELECT ",
        whole_supplier!(),
        " FROM accounts.suppliers WHERE supplier_id = $1 AND seller_id = $2 AND created_with = $3 \
         FOR SHARE"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .bind(created_with.as_slice())
    .fetch_optional(&mut **tx)
    .await?;
    with_keys(tx, row, now).await
}

/// The tenant's supplier, which nobody else can change until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_locked(
    tx: &mut TenantTx,
    seller_id: SellerId,
    id: SupplierId,
    now: DateTime<Utc>,
) -> Result<Option<Supplier>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT ",
        whole_supplier!(),
        " FROM accounts.suppliers WHERE supplier_id = $1 AND seller_id = $2 FOR UPDATE"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    with_keys(tx, row, now).await
}

/// The tenant's supplier.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(
    tx: &mut TenantTx,
    seller_id: SellerId,
    id: SupplierId,
    now: DateTime<Utc>,
) -> Result<Option<Supplier>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT ",
        whole_supplier!(),
        " FROM accounts.suppliers WHERE supplier_id = $1 AND seller_id = $2"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    with_keys(tx, row, now).await
}

/// Up to `limit` of the tenant's suppliers after the one with id `after`, in the order of ids.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn page(
    tx: &mut TenantTx,
    seller_id: SellerId,
    after: Option<SupplierId>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<Supplier>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        whole_supplier!(),
        " FROM accounts.suppliers WHERE seller_id = $1 AND ($2::uuid IS NULL OR supplier_id > $2) \
         ORDER BY supplier_id LIMIT $3"
    ))
    .bind(seller_id.uuid())
    .bind(after.map(SupplierId::uuid))
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?;
    let mut suppliers = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<SupplierId> = suppliers.iter().map(|supplier| supplier.id).collect();
    let mut keys = api_keys::of_suppliers(tx, seller_id, &ids, now).await?;
    for supplier in &mut suppliers {
        supplier.keys = keys.remove(&supplier.id).unwrap_or_default();
    }
    Ok(suppliers)
}

/// Stores a supplier's new state, its keys apart.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(tx: &mut TenantTx, supplier: &Supplier, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts.suppliers SET version = $3, name = $4, status = $5, category_ids = $6, \
           posts_per_second = $7, updated_at = $8 WHERE supplier_id = $1 AND seller_id = $2",
    )
    .bind(supplier.id.uuid())
    .bind(supplier.seller_id.uuid())
    .bind(columns::big(supplier.version))
    .bind(supplier.name.as_str())
    .bind(supplier.status.code())
    .bind(category_uuids(supplier))
    .bind(columns::small(supplier.posts_per_second.get()))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

fn category_uuids(supplier: &Supplier) -> Vec<Uuid> {
    supplier.categories.ids().iter().map(|id| id.uuid()).collect()
}

async fn with_keys(tx: &mut TenantTx, row: Option<PgRow>, now: DateTime<Utc>) -> Result<Option<Supplier>, sqlx::Error> {
    let Some(row) = row else {
        return Ok(None);
    };
    let mut supplier = read(&row)?;
    supplier.keys = api_keys::of_supplier(tx, supplier.seller_id, supplier.id, now).await?;
    Ok(Some(supplier))
}

fn read(row: &PgRow) -> Result<Supplier, sqlx::Error> {
    let categories: Vec<Uuid> = row.try_get("category_ids")?;
    Ok(Supplier {
        id: SupplierId::from_uuid(row.try_get("supplier_id")?),
        seller_id: SellerId::from_uuid(row.try_get("seller_id")?),
        version: columns::version(row)?,
        name: columns::name(row, "name")?,
        status: columns::status(row)?,
        categories: Categories::new(categories.into_iter().map(CategoryId::from_uuid).collect())
            .map_err(columns::corrupt)?,
        posts_per_second: columns::posts_per_second(row)?,
        keys: Vec::new(),
    })
}
