//! What table `notifier.endpoints` knows of how endpoints do.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

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
