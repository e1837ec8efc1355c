//! Reading holds.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{Hold, HoldState};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, PostingId, SellerId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

/// A hold that has stood for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleHold {
    /// The assignment it would pay for.
    pub id: AssignmentId,
    /// The tenant.
    pub seller: SellerId,
    /// The campaign whose lock orders its decisions.
    pub campaign: CampaignId,
    /// How often it had been placed when it was read.
    pub attempts: u32,
    /// When it was placed last.
    pub placed_at: DateTime<Utc>,
}

/// The holds with these ids. Not scoped by tenant, on purpose: an id that belongs to somebody else
/// must be seen, to be refused. The wallets must be locked before.
pub async fn load(
    connection: &mut PgConnection,
    ids: impl IntoIterator<Item = AssignmentId>,
) -> Result<Vec<Hold>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.into_iter().map(AssignmentId::uuid).collect();
    let rows = sqlx::query(
        "SELECT hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, week_start, \
                month_start, ended_at, posting_id \
         FROM billing.holds WHERE hold_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// Whose wallets these holds stand on.
pub async fn buyers(
    connection: &mut PgConnection,
    tenant: SellerId,
    ids: &[AssignmentId],
) -> Result<Vec<BuyerId>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let buyers: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT buyer_id FROM billing.holds WHERE hold_id = ANY($1) AND seller_id = $2 AND state = 'held'",
    )
    .bind(ids)
    .bind(tenant.uuid())
    .fetch_all(connection)
    .await?;
    Ok(buyers.into_iter().map(BuyerId::from_uuid).collect())
}

/// A page of the holds that were placed before `before` and still stand, oldest first, of all
/// tenants. `after` is the last one of the page before.
pub async fn stale(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    after: Option<&StaleHold>,
    limit: usize,
) -> Result<Vec<StaleHold>, sqlx::Error> {
    let (placed_at, id) =
        after.map_or((DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()), |hold| (hold.placed_at, hold.id.uuid()));
    let rows = sqlx::query(
        "SELECT hold_id, seller_id, campaign_id, attempts, placed_at FROM billing.holds \
         WHERE state = 'held' AND placed_at < $1 AND (placed_at, hold_id) > ($2, $3) \
         ORDER BY placed_at, hold_id LIMIT $4",
    )
    .bind(before)
    .bind(placed_at)
    .bind(id)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StaleHold {
                id: AssignmentId::from_uuid(row.try_get("hold_id")?),
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
                campaign: CampaignId::from_uuid(row.try_get("campaign_id")?),
                attempts: attempts(row)?,
                placed_at: row.try_get("placed_at")?,
            })
        })
        .collect()
}

/// The stable name of a state.
pub(super) const fn state_name(state: HoldState) -> &'static str {
    match state {
        HoldState::Held => "held",
        HoldState::Captured => "captured",
        HoldState::Released => "released",
    }
}

fn attempts(row: &PgRow) -> Result<u32, sqlx::Error> {
    u32::try_from(row.try_get::<i32, _>("attempts")?).map_err(unreadable)
}

fn read(row: &PgRow) -> Result<Hold, sqlx::Error> {
    let state = match row.try_get::<&str, _>("state")? {
        "held" => HoldState::Held,
        "captured" => HoldState::Captured,
        "released" => HoldState::Released,
        other => return Err(unreadable(format!("state of a hold: {other:?}"))),
    };
    Ok(Hold {
        id: AssignmentId::from_uuid(row.try_get("hold_id")?),
        buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        lead: LeadId::from_uuid(row.try_get("lead_id")?),
        campaign: CampaignId::from_uuid(row.try_get("campaign_id")?),
        amount: row.try_get("amount")?,
        state,
        attempts: attempts(row)?,
        placed_at: row.try_get("placed_at")?,
        week_start: row.try_get("week_start")?,
        month_start: row.try_get("month_start")?,
        ended_at: row.try_get("ended_at")?,
        posting: row.try_get::<Option<Uuid>, _>("posting_id")?.map(PostingId::from_uuid),
    })
}
