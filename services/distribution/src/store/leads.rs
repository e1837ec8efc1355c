//! Leads, their sales and fingerprints.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_contracts::common::Outcome;
use leadflow_kernel::{
    AssignmentId, BuyerId, CampaignId, CategoryId, LeadId, Money, SellerId, SubscriptionId, SupplierId,
};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::columns;

/// What was decided about a lead, as far as its supplier is told.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The lead.
    pub lead: LeadId,
    /// Who posted it.
    pub supplier: SupplierId,
    /// What became of it.
    pub outcome: Outcome,
    /// Stable code, or empty.
    pub reason: String,
    /// How many buyers.
    pub buyers_assigned: u32,
    /// What they pay together.
    pub price: Option<Money>,
    /// A test lead.
    pub test: bool,
    /// The supplier's own.
    pub reference: String,
    /// What makes two posts the same request; empty: not known any more.
    pub body_hash: Vec<u8>,
}

impl Verdict {
    /// Whether it is about the request with this hash, as far as is known: of a masked lead it is not kept.
    #[must_use]
    pub fn is_of(&self, body_hash: &[u8]) -> bool {
        self.body_hash.is_empty() || self.body_hash == body_hash
    }
}

#[derive(FromRow)]
struct VerdictRow {
    lead_id: Uuid,
    supplier_id: Uuid,
    outcome: i16,
    reason: String,
    buyers_assigned: i32,
    price: Option<Decimal>,
    currency: Option<String>,
    test: bool,
    reference: String,
    body_hash: Vec<u8>,
}

/// What is stored of these leads.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn known(connection: &mut PgConnection, leads: &[LeadId]) -> Result<HashMap<LeadId, Verdict>, sqlx::Error> {
    let rows: Vec<VerdictRow> = sqlx::query_as(
        "SELECT l.lead_id, l.supplier_id, l.outcome, l.reason, l.buyers_assigned, l.price, l.currency, l.test, l.reference, \
           l.body_hash \
         FROM unnest($1::uuid[]) AS t(lead_id) CROSS JOIN LATERAL (SELECT * FROM distribution.leads p WHERE p.lead_id = t.lead_id \
           AND p.received_at = (SELECT i.received_at FROM distribution.lead_ids i WHERE i.lead_id = t.lead_id) OFFSET 0) l",
    )
    .bind(leads.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| verdict(row).map(|verdict| (verdict.lead, verdict))).collect()
}

/// What is stored of a tenant's lead.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn known_of(tx: &mut TenantTx, seller: SellerId, lead: LeadId) -> Result<Option<Verdict>, sqlx::Error> {
    let row: Option<VerdictRow> = sqlx::query_as(
        "SELECT lead_id, supplier_id, outcome, reason, buyers_assigned, price, currency, test, reference, body_hash \
         FROM distribution.leads WHERE lead_id = $1 AND seller_id = $2 \
           AND received_at = (SELECT received_at FROM distribution.lead_ids WHERE lead_id = $1)",
    )
    .bind(lead.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(verdict).transpose()
}

fn verdict(row: VerdictRow) -> Result<Verdict, sqlx::Error> {
    Ok(Verdict {
        lead: row.lead_id.into(),
        supplier: row.supplier_id.into(),
        outcome: outcome(row.outcome)?,
        reason: row.reason,
        buyers_assigned: columns::unsigned(row.buyers_assigned, "buyers_assigned")?,
        price: row.price.zip(row.currency).map(|(price, currency)| columns::money(price, &currency)).transpose()?,
        test: row.test,
        reference: row.reference,
        body_hash: row.body_hash,
    })
}

/// Reads what became of a lead.
///
/// # Errors
/// When it is nothing known.
pub(super) fn outcome(number: i16) -> Result<Outcome, sqlx::Error> {
    Outcome::try_from(i32::from(number)).map_err(|_| columns::impossible("outcome"))
}

/// The column's form of what became of a lead.
pub fn stored_outcome(outcome: Outcome) -> i16 {
    // The enum has eight values.
    i16::try_from(i32::from(outcome)).unwrap_or_default()
}

/// Leads that were seen with these fingerprints, by (campaign, fingerprint), with when.
/// Expired ones count no more.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn seen(
    connection: &mut PgConnection,
    fingerprints: &[(CampaignId, Uuid)],
) -> Result<HashMap<(CampaignId, Uuid), (LeadId, DateTime<Utc>)>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid, Uuid, DateTime<Utc>)> = sqlx::query_as(
        // OFFSET 0 keeps this one look-up by key for each pair, whatever the plan was made for.
        "SELECT t.campaign_id, t.fingerprint, f.lead_id, f.seen_at \
         FROM unnest($1::uuid[], $2::uuid[]) AS t(campaign_id, fingerprint) \
         CROSS JOIN LATERAL (SELECT p.lead_id, p.seen_at FROM distribution.lead_fingerprints p \
           WHERE p.campaign_id = t.campaign_id AND p.fingerprint = t.fingerprint OFFSET 0) f \
         WHERE (SELECT l.outcome FROM distribution.leads l WHERE l.lead_id = f.lead_id \
           AND l.received_at = (SELECT i.received_at FROM distribution.lead_ids i WHERE i.lead_id = f.lead_id)) <> 5",
    )
    .bind(fingerprints.iter().map(|(campaign, _)| campaign.uuid()).collect::<Vec<_>>())
    .bind(fingerprints.iter().map(|(_, print)| *print).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(campaign, print, lead, at)| ((campaign.into(), print), (lead.into(), at))).collect())
}

/// Why a lead was rejected: the tenant has no such campaign.
pub const CAMPAIGN_UNKNOWN: &str = "campaign_unknown";

/// A new lead with its decision.
#[derive(Debug)]
pub struct NewLead<'a> {
    /// Its id.
    pub id: LeadId,
    /// Its tenant.
    pub seller: SellerId,
    /// Who posted it.
    pub supplier: SupplierId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// Of which kind.
    pub category: CategoryId,
    /// When the gateway took it.
    pub received_at: DateTime<Utc>,
    /// Until when it is for sale, if it is.
    pub expires_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub outcome: Outcome,
    /// A test lead.
    pub test: bool,
    /// How many buyers.
    pub buyers_assigned: u32,
    /// What they pay together.
    pub price: Option<Money>,
    /// Stable code, or empty.
    pub reason: String,
    /// USPS code, or empty.
    pub state: &'a str,
    /// HOT, WARM, COLD or empty.
    pub quality: &'a str,
    /// The supplier's own.
    pub reference: &'a str,
    /// What makes two posts the same request.
    pub body_hash: &'a [u8],
    /// JSON object.
    pub data: &'a str,
    /// JSON object, if there is one.
    pub raw: Option<&'a str>,
    /// JSON list, if there is one.
    pub unknown_fields: Option<String>,
    /// Encoded.
    pub trace: Vec<u8>,
    /// W3C trace context.
    pub traceparent: Option<&'a str>,
}

/// A sale.
#[derive(Debug, Clone)]
pub struct Sale {
    /// The assignment; also the hold's id.
    pub id: AssignmentId,
    /// What was sold.
    pub lead: LeadId,
    /// To whom.
    pub buyer: BuyerId,
    /// Through which subscription.
    pub subscription: SubscriptionId,
    /// In which campaign.
    pub campaign: CampaignId,
    /// By whom.
    pub seller: SellerId,
    /// For how much.
    pub price: Money,
}

/// Of these ids, the assignments that a tenant has.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn existing_sales(
    connection: &mut PgConnection,
    seller: SellerId,
    ids: &[AssignmentId],
) -> Result<Vec<AssignmentId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT assignment_id FROM distribution.assignments WHERE assignment_id = ANY($1) AND seller_id = $2",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(seller.uuid())
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(AssignmentId::from).collect())
}
