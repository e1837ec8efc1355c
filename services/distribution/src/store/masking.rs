//! Removing personal data of leads, and everything here that was made of it.

use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, SellerId, SupplierId};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// A lead whose data is removed, as it was before.
#[derive(Debug, Clone)]
pub struct Masked {
    /// The lead.
    pub lead: LeadId,
    /// Who posted it.
    pub supplier: SupplierId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// It was for sale and has expired by it.
    pub expired: bool,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

#[derive(FromRow)]
struct LockedRow {
    lead_id: Uuid,
    supplier_id: Uuid,
    campaign_id: Uuid,
    for_sale: bool,
    traceparent: Option<String>,
}

/// Empties those of these leads that still have data, and ends those that are for sale. Who is selling one at the moment is waited for, as
/// he would wait for this: a lead is either sold with its data or not at all. Leads are named with the first and last time that they were
/// received, so that only those months are looked at.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn mask(
    connection: &mut PgConnection,
    seller: SellerId,
    leads: &[LeadId],
    (first, last): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Vec<Masked>, sqlx::Error> {
    let ids: Vec<Uuid> = leads.iter().map(|id| id.uuid()).collect();
    // In the order in which looks at unsold leads lock them.
    let rows: Vec<LockedRow> = sqlx::query_as(
        "SELECT lead_id, supplier_id, campaign_id, outcome = 3 AND NOT test AS for_sale, traceparent FROM distribution.leads \
         WHERE lead_id = ANY($2) AND seller_id = $1 AND received_at BETWEEN $3 AND $4 AND masked_at IS NULL \
         ORDER BY received_at, lead_id FOR UPDATE",
    )
    .bind(seller.uuid())
    .bind(&ids)
    .bind(first)
    .bind(last)
    .fetch_all(&mut *connection)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<Uuid> = rows.iter().map(|row| row.lead_id).collect();
    sqlx::query(
        "UPDATE distribution.leads SET data = '{}', raw = NULL, unknown_fields = NULL, reference = '', body_hash = '', masked_at = $5, \
           decided_at = CASE WHEN outcome = 3 AND NOT test THEN $5 ELSE decided_at END, \
           reason = CASE WHEN outcome = 3 AND NOT test THEN 'expired' ELSE reason END, \
           outcome = CASE WHEN outcome = 3 AND NOT test THEN 5 ELSE outcome END \
         WHERE lead_id = ANY($2) AND seller_id = $1 AND received_at BETWEEN $3 AND $4",
    )
    .bind(seller.uuid())
    .bind(&found)
    .bind(first)
    .bind(last)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    // What was written of their sales.
    sqlx::query(
        "UPDATE distribution.returns SET note = '', decision_note = '' \
         WHERE seller_id = $1 AND (note <> '' OR decision_note <> '') AND assignment_id IN ( \
           SELECT assignment_id FROM distribution.assignments WHERE lead_id = ANY($2) AND seller_id = $1)",
    )
    .bind(seller.uuid())
    .bind(&found)
    .execute(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Masked {
            lead: row.lead_id.into(),
            supplier: row.supplier_id.into(),
            campaign: row.campaign_id.into(),
            expired: row.for_sale,
            traceparent: row.traceparent,
        })
        .collect())
}

/// The sales of these leads, by lead.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sales(
    connection: &mut PgConnection,
    seller: SellerId,
    leads: &[LeadId],
) -> Result<Vec<(LeadId, AssignmentId, BuyerId)>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(
        "SELECT lead_id, assignment_id, buyer_id FROM distribution.assignments WHERE lead_id = ANY($2) AND seller_id = $1 \
         ORDER BY lead_id, assignment_id",
    )
    .bind(seller.uuid())
    .bind(leads.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(lead, sale, buyer)| (lead.into(), sale.into(), buyer.into())).collect())
}
