//! Leads for sale: those to look at again, and those whose time is up.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, CampaignId, LeadId, Money, SupplierId};
use rust_decimal::Decimal;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::columns::signed;

/// A lead that nobody bought yet.
#[derive(Debug, Clone)]
pub struct Unsold {
    /// Its id.
    pub id: LeadId,
    /// Who posted it.
    pub supplier: SupplierId,
    /// When the gateway took it.
    pub received_at: DateTime<Utc>,
    /// USPS code, or empty.
    pub state: String,
    /// HOT, WARM, COLD or empty.
    pub quality: String,
    /// JSON object.
    pub data: String,
    /// Encoded.
    pub trace: Vec<u8>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Who bought it and did not take it.
    pub had_by: Vec<BuyerId>,
}

#[derive(FromRow)]
struct UnsoldRow {
    lead_id: Uuid,
    supplier_id: Uuid,
    received_at: DateTime<Utc>,
    state: String,
    quality: String,
    data: String,
    trace: Vec<u8>,
    traceparent: Option<String>,
    had_by: Vec<Uuid>,
}

impl From<UnsoldRow> for Unsold {
    fn from(row: UnsoldRow) -> Self {
        Self {
            id: row.lead_id.into(),
            supplier: row.supplier_id.into(),
            received_at: row.received_at,
            state: row.state,
            quality: row.quality,
            data: row.data,
            trace: row.trace,
            traceparent: row.traceparent,
            had_by: row.had_by.into_iter().map(BuyerId::from).collect(),
        }
    }
}

/// Locks the oldest leads for sale of a campaign that come after `cursor`. Leads that are being
/// expired at the moment are waited for and then left out.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_after(
    connection: &mut PgConnection,
    campaign: CampaignId,
    cursor: Option<(DateTime<Utc>, LeadId)>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Unsold>, sqlx::Error> {
    let (at, id) = cursor.map_or((DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()), |(at, id)| (at, id.uuid()));
    let rows: Vec<UnsoldRow> = sqlx::query_as(
        "SELECT lead_id, supplier_id, received_at, state, quality, data::text AS data, trace, traceparent, \
           CASE WHEN buyers_assigned = 0 THEN '{}' ELSE ARRAY( \
             SELECT a.buyer_id FROM distribution.assignments a WHERE a.lead_id = leads.lead_id) END AS had_by \
         FROM distribution.leads WHERE campaign_id = $1 AND outcome = 3 AND NOT test AND (received_at, lead_id) > ($2, $3) \
           AND received_at >= $2 AND expires_at > $4 ORDER BY received_at, lead_id LIMIT $5 FOR UPDATE",
    )
    .bind(campaign.uuid())
    .bind(at)
    .bind(id)
    .bind(now)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Unsold::from).collect())
}

/// A lead that was sold after all: to how many, for how much together, and why. Sales of before, which are undone, count too.
#[derive(Debug)]
pub struct Sold {
    /// The lead.
    pub lead: LeadId,
    /// When the gateway took it.
    pub received_at: DateTime<Utc>,
    /// How many buyers.
    pub buyers_assigned: u32,
    /// What they pay together.
    pub price: Money,
    /// Encoded.
    pub trace: Vec<u8>,
}

/// The first and the last of these times: they tell PostgreSQL, before it begins, which months it need not look at.
fn span(times: impl Iterator<Item = DateTime<Utc>> + Clone) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    (times.clone().min(), times.max())
}

/// Writes what became of locked leads: those sold, and new traces of those that were not. `traces` has when each lead was received, too.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(
    connection: &mut PgConnection,
    sold: &[Sold],
    traces: &[(LeadId, DateTime<Utc>, Vec<u8>)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if !sold.is_empty() {
        let (first, last) = span(sold.iter().map(|one| one.received_at));
        sqlx::query(
            "UPDATE distribution.leads l SET outcome = 2, reason = '', decided_at = $1, expires_at = NULL, \
               buyers_assigned = l.buyers_assigned + t.buyers, price = coalesce(l.price, 0) + t.price, currency = t.currency, trace = t.trace \
             FROM unnest($2::uuid[], $3::int[], $4::numeric[], $5::text[], $6::bytea[]) \
               AS t(lead_id, buyers, price, currency, trace) \
             WHERE l.lead_id = ANY($2) AND l.received_at >= $7 AND l.received_at <= $8 AND l.lead_id = t.lead_id",
        )
        .bind(now)
        .bind(sold.iter().map(|one| one.lead.uuid()).collect::<Vec<_>>())
        .bind(sold.iter().map(|one| signed(one.buyers_assigned)).collect::<Vec<_>>())
        .bind(sold.iter().map(|one| one.price.amount()).collect::<Vec<Decimal>>())
        .bind(sold.iter().map(|one| one.price.currency().code().to_owned()).collect::<Vec<_>>())
        .bind(sold.iter().map(|one| one.trace.as_slice()).collect::<Vec<_>>())
        .bind(first)
        .bind(last)
        .execute(&mut *connection)
        .await?;
    }
    if !traces.is_empty() {
        let (first, last) = span(traces.iter().map(|(_, at, _)| *at));
        sqlx::query(
            "UPDATE distribution.leads l SET trace = t.trace FROM unnest($1::uuid[], $2::bytea[]) \
               AS t(lead_id, trace) \
             WHERE l.lead_id = ANY($1) AND l.received_at >= $3 AND l.received_at <= $4 AND l.lead_id = t.lead_id",
        )
        .bind(traces.iter().map(|(lead, ..)| lead.uuid()).collect::<Vec<_>>())
        .bind(traces.iter().map(|(.., trace)| trace.as_slice()).collect::<Vec<_>>())
        .bind(first)
        .bind(last)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// A lead whose time was up.
#[derive(Debug, FromRow)]
pub struct Expired {
    /// The lead.
    pub lead_id: Uuid,
    /// Its tenant.
    pub seller_id: Uuid,
    /// Who posted it.
    pub supplier_id: Uuid,
    /// For which campaign.
    pub campaign_id: Uuid,
    /// The supplier's own.
    pub reference: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// Ends leads whose time is up. Leads that are being looked at by others at the moment wait.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn expire(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Expired>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS MATERIALIZED ( \
           SELECT lead_id, received_at FROM distribution.leads WHERE outcome = 3 AND NOT test AND expires_at <= $1 \
           ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
         UPDATE distribution.leads SET outcome = 5, reason = 'expired', decided_at = $1 \
         WHERE lead_id = ANY(ARRAY(SELECT lead_id FROM due)) \
           AND received_at >= (SELECT min(received_at) FROM due) AND received_at <= (SELECT max(received_at) FROM due) \
         RETURNING lead_id, seller_id, supplier_id, campaign_id, reference, traceparent",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(connection)
    .await
}
