//! Which campaigns' unsold leads are to be looked at again.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use leadflow_kernel::{CampaignId, LeadId, SellerId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns;

/// A campaign's pass over its unsold leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Counts what asked for a pass.
    pub wanted: i64,
    /// `wanted` when the pass began; 0 before it does.
    pub pass: i64,
    /// The last lead looked at: when it was received, and its id.
    pub cursor: Option<(DateTime<Utc>, LeadId)>,
}

/// Asks for a pass over each campaign, from `due` on.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn mark(
    connection: &mut PgConnection,
    campaigns: &[CampaignId],
    due: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if campaigns.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO distribution.campaign_retry AS r (campaign_id, due_at) \
         SELECT id, $2 FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) t ORDER BY id \
         ON CONFLICT (campaign_id) DO UPDATE SET wanted = r.wanted + 1, due_at = least(r.due_at, excluded.due_at)",
    )
    .bind(campaigns.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(due)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Campaigns whose pass is due, the longest waiting first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<CampaignId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT campaign_id FROM distribution.campaign_retry WHERE due_at <= $1 ORDER BY due_at, campaign_id LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(CampaignId::from).collect())
}

/// wanted, pass, cursor_at, cursor_id
type PassRow = (i64, i64, Option<DateTime<Utc>>, Option<Uuid>);

/// The pass of a campaign, locked. The campaign's routing row must be locked before.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(
    connection: &mut PgConnection,
    campaign: CampaignId,
    now: DateTime<Utc>,
) -> Result<Option<Pass>, sqlx::Error> {
    let row: Option<PassRow> = sqlx::query_as(
        "SELECT wanted, pass, cursor_at, cursor_id FROM distribution.campaign_retry \
         WHERE campaign_id = $1 AND due_at <= $2 FOR UPDATE",
    )
    .bind(campaign.uuid())
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(wanted, pass, at, id)| Pass { wanted, pass, cursor: at.zip(id.map(LeadId::from)) }))
}

/// Remembers how far a pass came.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn save(
    connection: &mut PgConnection,
    campaign: CampaignId,
    pass: Pass,
    due: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.campaign_retry SET pass = $2, cursor_at = $3, cursor_id = $4, due_at = $5 \
         WHERE campaign_id = $1",
    )
    .bind(campaign.uuid())
    .bind(pass.pass)
    .bind(pass.cursor.map(|(at, _)| at))
    .bind(pass.cursor.map(|(_, id)| id.uuid()))
    .bind(due)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Puts a campaign's pass off until `due`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn put_off(
    connection: &mut PgConnection,
    campaign: CampaignId,
    due: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE distribution.campaign_retry SET due_at = $2 WHERE campaign_id = $1")
        .bind(campaign.uuid())
        .bind(due)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Nothing more to look at.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn clear(connection: &mut PgConnection, campaign: CampaignId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM distribution.campaign_retry WHERE campaign_id = $1")
        .bind(campaign.uuid())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Each tenant's time zone and the day its leads were last looked at for.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn seller_days(connection: &mut PgConnection) -> Result<Vec<(SellerId, Tz, Option<NaiveDate>)>, sqlx::Error> {
    let rows: Vec<(Uuid, String, Option<NaiveDate>)> =
        sqlx::query_as("SELECT seller_id, time_zone, retry_day FROM distribution.sellers")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(|(id, zone, day)| Ok((id.into(), columns::zone(&zone)?, day))).collect()
}

/// Moves tenants to a new day; gives back those that nobody moved there before.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn begin_days(
    connection: &mut PgConnection,
    days: &[(SellerId, NaiveDate)],
) -> Result<Vec<SellerId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE distribution.sellers s SET retry_day = t.day \
         FROM unnest($1::uuid[], $2::date[]) AS t(seller_id, day) \
         WHERE s.seller_id = t.seller_id AND (s.retry_day IS NULL OR s.retry_day < t.day) RETURNING s.seller_id",
    )
    .bind(days.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(days.iter().map(|(_, day)| *day).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(SellerId::from).collect())
}

/// Active campaigns that have leads for sale.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn campaigns_with_unsold(connection: &mut PgConnection) -> Result<Vec<CampaignId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT campaign_id FROM distribution.campaigns c WHERE status = 'active' \
           AND EXISTS (SELECT 1 FROM distribution.leads l \
                       WHERE l.campaign_id = c.campaign_id AND l.outcome = 3 AND NOT l.test)",
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(CampaignId::from).collect())
}
