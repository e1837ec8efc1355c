//! Table `notifier.endpoints`.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier_domain::{AnswerRules, BodyKind, BodyTemplate, EventKind};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{model::Endpoint, secrets::Sealed};

/// What [`read`] reads, by name: a column that a later release adds must not change what running replicas prepared.
macro_rules! columns {
    () => {
        "endpoint_id, seller_id, buyer_id, url, secret, secret_key_id, enabled, disabled_reason, failing_since, version, \
         answer_rules, sealed_format, sealed_format_key_id, body_template, body_type, name, events, concurrency, old_secret, \
         old_secret_key_id, old_secret_until, deleted_at IS NOT NULL AS deleted"
    };
}
pub(super) use columns;

/// The endpoints of these buyers, each asked for within its tenant, and each buyer's in the order they were made.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyers(
    connection: &mut PgConnection,
    buyers: &[(SellerId, BuyerId)],
) -> Result<Vec<Endpoint>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        // OFFSET 0 keeps this one look-up by key for each pair, whatever the plan was made for.
        "SELECT e.* FROM unnest($1::uuid[], $2::uuid[]) AS t(seller_id, buyer_id) CROSS JOIN LATERAL (SELECT ",
        columns!(),
        " FROM notifier.endpoints p WHERE p.seller_id = t.seller_id AND p.buyer_id = t.buyer_id AND p.deleted_at IS NULL \
          ORDER BY p.created_at, p.endpoint_id OFFSET 0) e"
    ))
    .bind(buyers.iter().map(|(seller, _)| seller.uuid()).collect::<Vec<Uuid>>())
    .bind(buyers.iter().map(|(_, buyer)| buyer.uuid()).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// One of a buyer's endpoints, or his first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyer(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    id: Option<EndpointId>,
) -> Result<Option<Endpoint>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM notifier.endpoints WHERE seller_id = $1 AND buyer_id = $2 AND deleted_at IS NULL \
            AND ($3::uuid IS NULL OR endpoint_id = $3) ORDER BY created_at, endpoint_id LIMIT 1"
    ))
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(id.map(EndpointId::uuid))
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(read).transpose()
}

/// All of a buyer's endpoints, in the order they were made.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn all_of_buyer(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Vec<Endpoint>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM notifier.endpoints WHERE seller_id = $1 AND buyer_id = $2 AND deleted_at IS NULL \
          ORDER BY created_at, endpoint_id"
    ))
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(read).collect()
}

/// One of a buyer's endpoints, a deleted one too, locked until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    id: EndpointId,
) -> Result<Option<Endpoint>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM notifier.endpoints WHERE endpoint_id = $3 AND seller_id = $1 AND buyer_id = $2 FOR UPDATE"
    ))
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(id.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(read).transpose()
}

/// How many endpoints a buyer has, asked by one at a time until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn count_alone(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<i64, sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('notifier.endpoints ' || $1::text, 0))")
        .bind(buyer.uuid())
        .execute(&mut **tx)
        .await?;
    sqlx::query_scalar(
        "SELECT count(*) FROM notifier.endpoints WHERE seller_id = $1 AND buyer_id = $2 AND deleted_at IS NULL",
    )
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .fetch_one(&mut **tx)
    .await
}

/// Stores a new endpoint; false when its id is taken.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(tx: &mut TenantTx, endpoint: &Endpoint, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO notifier.endpoints (endpoint_id, seller_id, url, secret, secret_key_id, enabled, disabled_reason, \
           failing_since, updated_at, version, answer_rules, sealed_format, sealed_format_key_id, body_template, body_type, \
           name, events, concurrency, old_secret, old_secret_key_id, old_secret_until, buyer_id, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $9) \
         ON CONFLICT DO NOTHING",
    );
    let done = bind(done, endpoint, now).bind(endpoint.buyer.uuid()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Stores what its owner changed. One that was deleted is a new one.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(tx: &mut TenantTx, endpoint: &Endpoint, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done = sqlx::query(
        "UPDATE notifier.endpoints SET url = $3, secret = $4, secret_key_id = $5, enabled = $6, disabled_reason = $7, \
           failing_since = $8, updated_at = $9, version = $10, answer_rules = $11, sealed_format = $12, \
           sealed_format_key_id = $13, body_template = $14, body_type = $15, name = $16, events = $17, concurrency = $18, \
           old_secret = $19, old_secret_key_id = $20, old_secret_until = $21, deleted_at = NULL, \
           created_at = CASE WHEN deleted_at IS NULL THEN created_at ELSE $9 END \
         WHERE endpoint_id = $1 AND seller_id = $2",
    );
    bind(done, endpoint, now).execute(&mut **tx).await.map(drop)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Everything that can change, as $1 to $21.
fn bind<'q>(query: Query<'q>, endpoint: &'q Endpoint, now: DateTime<Utc>) -> Query<'q> {
    let (old, until) = endpoint.old_secret.as_ref().map_or((None, None), |(old, until)| (Some(old), Some(*until)));
    query
        .bind(endpoint.id.uuid())
        .bind(endpoint.seller.uuid())
        .bind(&endpoint.url)
        .bind(&endpoint.secret.bytes)
        .bind(&endpoint.secret.key_id)
        .bind(endpoint.enabled)
        .bind(&endpoint.disabled_reason)
        .bind(endpoint.failing_since)
        .bind(now)
        .bind(i64::try_from(endpoint.version).unwrap_or(i64::MAX))
        .bind(endpoint.rules.as_ref().map(Json))
        .bind(endpoint.credentials.as_ref().map(|sealed| &sealed.bytes))
        .bind(endpoint.credentials.as_ref().map(|sealed| &sealed.key_id))
        .bind(endpoint.body.as_ref().map(|body| &body.source))
        .bind(endpoint.body.as_ref().map(|body| body.kind.content_type()))
        .bind(&endpoint.name)
        .bind(endpoint.events.iter().map(|event| event.text()).collect::<Vec<_>>())
        .bind(i32::try_from(endpoint.concurrency).unwrap_or(i32::MAX))
        .bind(old.map(|sealed| &sealed.bytes))
        .bind(old.map(|sealed| &sealed.key_id))
        .bind(until)
}

/// Deletes it, with all that is secret of it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn delete(tx: &mut TenantTx, endpoint: &Endpoint, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.endpoints SET deleted_at = $3, updated_at = $3, enabled = false, version = version + 1, secret = '', \
           secret_key_id = '', sealed_format = NULL, sealed_format_key_id = NULL, old_secret = NULL, \
           old_secret_key_id = NULL, old_secret_until = NULL, body_template = NULL, body_type = NULL \
         WHERE endpoint_id = $1 AND seller_id = $2",
    )
    .bind(endpoint.id.uuid())
    .bind(endpoint.seller.uuid())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

pub(super) fn read(row: &PgRow) -> Result<Endpoint, sqlx::Error> {
    let sealed = |bytes: &str, key: &str| -> Result<Option<Sealed>, sqlx::Error> {
        let (bytes, key): (Option<Vec<u8>>, Option<String>) = (row.try_get(bytes)?, row.try_get(key)?);
        Ok(bytes.zip(key).map(|(bytes, key_id)| Sealed { key_id, bytes }))
    };
    let (source, kind): (Option<String>, Option<String>) = (row.try_get("body_template")?, row.try_get("body_type")?);
    let kind = kind.as_deref().and_then(BodyKind::parse);
    let events: Vec<String> = row.try_get("events")?;
    let until: Option<DateTime<Utc>> = row.try_get("old_secret_until")?;
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
        rules: row.try_get::<Option<Json<AnswerRules>>, _>("answer_rules")?.map(|Json(rules)| rules),
        credentials: sealed("sealed_format", "sealed_format_key_id")?,
        body: kind.zip(source).map(|(kind, source)| BodyTemplate { kind, source }),
        name: row.try_get("name")?,
        // One that a newer release knows is not this one's to tell.
        events: events.iter().filter_map(|event| EventKind::parse(event)).collect(),
        concurrency: u32::try_from(row.try_get::<i32, _>("concurrency")?).unwrap_or(0),
        old_secret: sealed("old_secret", "old_secret_key_id")?.zip(until),
        deleted: row.try_get("deleted")?,
    })
}
