//! A tenant's leads, the newest first.

use chrono::{DateTime, Utc};
use leadflow_contracts::common::Outcome;
use leadflow_distribution_domain::ask::Page;
use leadflow_kernel::{CampaignId, CategoryId, LeadId, SellerId, SupplierId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

use super::MAX_COUNTED;
use crate::store::{
    columns,
    leads::{Verdict, outcome, stored_outcome},
    show::SaleRow,
};

/// Sales shown with a lead in a list.
const SALES_SHOWN: i64 = 20;

/// Which leads.
#[derive(Debug, Clone)]
pub struct LeadFilter {
    /// Posted by this supplier.
    pub supplier: Option<SupplierId>,
    /// Of this category.
    pub category: Option<CategoryId>,
    /// Posted for this campaign.
    pub campaign: Option<CampaignId>,
    /// What became of them, as stored; empty: anything.
    pub outcomes: Vec<i16>,
    /// Received then or later.
    pub from: Option<DateTime<Utc>>,
    /// Received before.
    pub until: Option<DateTime<Utc>>,
}

/// A lead in a list; the migration describes each column.
#[derive(Debug, FromRow)]
pub struct ListedLead {
    pub lead_id: Uuid,
    pub seller_id: Uuid,
    pub supplier_id: Uuid,
    pub campaign_id: Uuid,
    pub category_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub decided_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    outcome: i16,
    test: bool,
    buyers_assigned: i32,
    price: Option<Decimal>,
    currency: Option<String>,
    reason: String,
    pub state: String,
    pub quality: String,
    reference: String,
    pub data: String,
    pub unknown_fields: Option<String>,
    pub masked_at: Option<DateTime<Utc>>,
}

impl ListedLead {
    /// Whether anybody bought it.
    pub fn sold(&self) -> bool {
        self.outcome == stored_outcome(Outcome::Distributed)
    }

    /// What was decided about it.
    ///
    /// # Errors
    /// When a column is impossible.
    pub fn verdict(&self) -> Result<Verdict, sqlx::Error> {
        let price = self.price.zip(self.currency.as_deref());
        Ok(Verdict {
            lead: self.lead_id.into(),
            supplier: self.supplier_id.into(),
            outcome: outcome(self.outcome)?,
            reason: self.reason.clone(),
            buyers_assigned: columns::unsigned(self.buyers_assigned, "buyers_assigned")?,
            price: price.map(|(price, currency)| columns::money(price, currency)).transpose()?,
            test: self.test,
            reference: self.reference.clone(),
            body_hash: Vec::new(),
        })
    }
}

macro_rules! matching {
    () => {
        "FROM distribution.leads WHERE seller_id = $1 AND ($2::uuid IS NULL OR supplier_id = $2) \
           AND ($3::uuid IS NULL OR category_id = $3) AND ($4::uuid IS NULL OR campaign_id = $4) \
           AND (cardinality($5::smallint[]) = 0 OR outcome = ANY($5)) \
           AND ($6::timestamptz IS NULL OR received_at >= $6) AND ($7::timestamptz IS NULL OR received_at < $7) "
    };
}

macro_rules! bind {
    ($query:expr, $seller:expr, $wanted:expr) => {
        $query
            .bind($seller.uuid())
            .bind($wanted.supplier.map(|id| id.uuid()))
            .bind($wanted.category.map(|id| id.uuid()))
            .bind($wanted.campaign.map(|id| id.uuid()))
            .bind(&$wanted.outcomes)
            .bind($wanted.from)
            .bind($wanted.until)
    };
}

/// A page of them. Rows before it are passed over in the index alone.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn list(
    tx: &mut TenantTx,
    seller: SellerId,
    wanted: &LeadFilter,
    page: Page,
) -> Result<Vec<ListedLead>, sqlx::Error> {
    let sql = concat!(
        "WITH page AS MATERIALIZED (SELECT lead_id, received_at ",
        matching!(),
        "ORDER BY received_at DESC, lead_id DESC OFFSET $8 LIMIT $9) \
         SELECT l.lead_id, seller_id, supplier_id, campaign_id, category_id, l.received_at, decided_at, expires_at, outcome, \
           test, buyers_assigned, price, currency, reason, state, quality, reference, data::text AS data, \
           unknown_fields::text AS unknown_fields, masked_at \
         FROM page CROSS JOIN LATERAL (SELECT * FROM distribution.leads p \
           WHERE p.lead_id = page.lead_id AND p.received_at = page.received_at OFFSET 0) l \
         ORDER BY l.received_at DESC, l.lead_id DESC",
    );
    bind!(sqlx::query_as(sql), seller, wanted)
        .bind(i64::from(page.offset))
        .bind(i64::from(page.limit))
        .fetch_all(&mut **tx)
        .await
}

/// How many there are, up to [`MAX_COUNTED`].
///
/// # Errors
/// Those of PostgreSQL.
pub async fn count(tx: &mut TenantTx, seller: SellerId, wanted: &LeadFilter) -> Result<i64, sqlx::Error> {
    let sql = concat!("SELECT count(*) FROM (SELECT 1 ", matching!(), "LIMIT $8) t");
    bind!(sqlx::query_scalar(sql), seller, wanted).bind(MAX_COUNTED).fetch_one(&mut **tx).await
}

#[derive(FromRow)]
struct SoldRow {
    lead_id: Uuid,
    #[sqlx(flatten)]
    sale: SaleRow,
}

/// Sales of these leads, the first few of each.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sales(tx: &mut TenantTx, seller: SellerId, leads: &[Uuid]) -> Result<Vec<(LeadId, SaleRow)>, sqlx::Error> {
    let rows: Vec<SoldRow> = sqlx::query_as(
        "SELECT s.*, r.return_id, r.state AS return_state FROM unnest($2::uuid[]) AS l(id) CROSS JOIN LATERAL \
           (SELECT lead_id, assignment_id, buyer_id, subscription_id, price, currency, assigned_at \
            FROM distribution.assignments WHERE lead_id = l.id AND seller_id = $1 ORDER BY assignment_id LIMIT $3) s \
         LEFT JOIN distribution.returns r ON r.assignment_id = s.assignment_id",
    )
    .bind(seller.uuid())
    .bind(leads)
    .bind(SALES_SHOWN)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.lead_id.into(), row.sale)).collect())
}
