//! Whose leads have been kept long enough, and how far that was looked at.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{LeadId, SellerId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// A tenant whose leads are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Tenant {
    /// Whose.
    pub seller: SellerId,
    /// Everything up to this one was looked at.
    pub cursor: (DateTime<Utc>, LeadId),
    /// After how many days data goes.
    pub days: i32,
    /// When its fingerprints are looked at next.
    pub prints_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct TenantRow {
    seller_id: Uuid,
    cursor_at: DateTime<Utc>,
    cursor_id: Uuid,
    days: i32,
    prints_at: DateTime<Utc>,
}

/// The tenant that has waited longest for a look, locked. Tenants that another replica looks at are passed over. `usual` is
/// for those who chose no number of days; 0: theirs are kept.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_due(
    connection: &mut PgConnection,
    usual: i32,
    now: DateTime<Utc>,
) -> Result<Option<Tenant>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.retention (seller_id, due_at) SELECT s.seller_id, $2 FROM distribution.sellers s \
         WHERE (s.retention_days > 0 OR $1 > 0) \
           AND NOT EXISTS (SELECT FROM distribution.retention r WHERE r.seller_id = s.seller_id) \
         ORDER BY s.seller_id ON CONFLICT (seller_id) DO NOTHING",
    )
    .bind(usual)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let row: Option<TenantRow> = sqlx::query_as(
        "SELECT r.seller_id, r.cursor_at, r.cursor_id, CASE WHEN s.retention_days > 0 THEN s.retention_days ELSE $1 END AS days, \
           r.prints_at \
         FROM distribution.retention r JOIN distribution.sellers s ON s.seller_id = r.seller_id \
         WHERE r.due_at <= $2 AND (s.retention_days > 0 OR $1 > 0) \
         ORDER BY r.due_at, r.seller_id LIMIT 1 FOR UPDATE OF r SKIP LOCKED",
    )
    .bind(usual)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Tenant {
        seller: row.seller_id.into(),
        cursor: (row.cursor_at, row.cursor_id.into()),
        days: row.days,
        prints_at: row.prints_at,
    }))
}

/// Has these tenants looked at now: they may have chosen another number of days.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn wake(connection: &mut PgConnection, sellers: &[SellerId], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE distribution.retention SET due_at = $2 WHERE seller_id = ANY($1) AND due_at > $2")
        .bind(sellers.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .bind(now)
        .execute(connection)
        .await
        .map(|_| ())
}

/// The next leads of a tenant that were received before `until`: when, which, and whether they are masked already.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn next_leads(
    connection: &mut PgConnection,
    tenant: &Tenant,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(DateTime<Utc>, LeadId, bool)>, sqlx::Error> {
    let rows: Vec<(DateTime<Utc>, Uuid, bool)> = sqlx::query_as(
        "SELECT received_at, lead_id, masked_at IS NOT NULL FROM distribution.leads \
         WHERE seller_id = $1 AND received_at >= $2 AND (received_at, lead_id) > ($2, $3) AND received_at < $4 \
         ORDER BY received_at, lead_id LIMIT $5",
    )
    .bind(tenant.seller.uuid())
    .bind(tenant.cursor.0)
    .bind(tenant.cursor.1.uuid())
    .bind(until)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(at, lead, masked)| (at, lead.into(), masked)).collect())
}

/// Remembers how far a tenant's leads were looked at, and when to go on.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn save(connection: &mut PgConnection, tenant: &Tenant, due: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.retention SET cursor_at = $2, cursor_id = $3, due_at = $4, prints_at = $5 WHERE seller_id = $1",
    )
    .bind(tenant.seller.uuid())
    .bind(tenant.cursor.0)
    .bind(tenant.cursor.1.uuid())
    .bind(due)
    .bind(tenant.prints_at)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Has the tenants of leads that come long after they were received looked at again from there.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn look_back(
    connection: &mut PgConnection,
    late: &[(SellerId, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Just before the lead: the cursor is passed over.
    let before = |at: &DateTime<Utc>| *at - TimeDelta::milliseconds(1);
    sqlx::query(
        "INSERT INTO distribution.retention AS r (seller_id, cursor_at, due_at) \
         SELECT seller_id, min(at), $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(seller_id, at) \
         GROUP BY seller_id ORDER BY seller_id \
         ON CONFLICT (seller_id) DO UPDATE SET cursor_at = least(r.cursor_at, excluded.cursor_at), due_at = excluded.due_at",
    )
    .bind(late.iter().map(|(seller, _)| seller.uuid()).collect::<Vec<_>>())
    .bind(late.iter().map(|(_, at)| before(at)).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Removes what people wrote about sales before `until`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn empty_notes(
    connection: &mut PgConnection,
    seller: SellerId,
    until: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.returns SET note = '', decision_note = '' \
         WHERE seller_id = $1 AND requested_at < $2 AND (note <> '' OR decision_note <> '')",
    )
    .bind(seller.uuid())
    .bind(until)
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}

/// Removes fingerprints of before `until` by which no duplicate can be told any more, at most `limit`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn forget_prints(
    connection: &mut PgConnection,
    seller: SellerId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "DELETE FROM distribution.lead_fingerprints WHERE (campaign_id, fingerprint) IN ( \
           SELECT p.campaign_id, p.fingerprint FROM distribution.campaigns c \
           JOIN distribution.lead_fingerprints p ON p.campaign_id = c.campaign_id \
           WHERE c.seller_id = $1 AND p.seen_at < least($2, $3 - make_interval(days => c.duplicate_window_days)) \
           ORDER BY p.campaign_id, p.fingerprint LIMIT $4 FOR UPDATE OF p SKIP LOCKED)",
    )
    .bind(seller.uuid())
    .bind(until)
    .bind(now)
    .bind(limit)
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}
