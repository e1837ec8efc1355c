//! A lead as its seller sees it.

use chrono::{DateTime, Utc};
use leadflow_kernel::{LeadId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

/// A stored lead; the migration describes each column.
#[derive(Debug, FromRow)]
pub struct LeadRow {
    pub lead_id: Uuid,
    pub seller_id: Uuid,
    pub supplier_id: Uuid,
    pub campaign_id: Uuid,
    pub category_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub decided_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub state: String,
    pub quality: String,
    pub data: String,
    pub raw: Option<String>,
    pub unknown_fields: Option<String>,
    pub trace: Vec<u8>,
    pub masked_at: Option<DateTime<Utc>>,
}

/// A sale of it; the migration describes each column.
#[derive(Debug, FromRow)]
pub struct SaleRow {
    pub assignment_id: Uuid,
    pub buyer_id: Uuid,
    pub subscription_id: Uuid,
    pub price: Decimal,
    pub currency: String,
    pub assigned_at: DateTime<Utc>,
    pub return_id: Option<Uuid>,
    pub return_state: Option<String>,
}

/// A sale of it that was undone.
#[derive(Debug, FromRow)]
pub struct UndoneRow {
    pub buyer_id: Uuid,
    pub company_name: Option<String>,
    pub reason: String,
    pub note: String,
    pub by_receiver: bool,
}

/// Those of these sales that were undone, in that order.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn undone(tx: &mut TenantTx, seller: SellerId, sales: &[SaleRow]) -> Result<Vec<UndoneRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.buyer_id, b.company_name, r.reason, r.note, r.by_receiver \
         FROM distribution.returns r LEFT JOIN distribution.buyers b ON b.buyer_id = r.buyer_id AND b.seller_id = r.seller_id \
         WHERE r.assignment_id = ANY($1) AND r.seller_id = $2 AND r.state = 'approved' ORDER BY r.decided_at, r.return_id",
    )
    .bind(sales.iter().map(|sale| sale.assignment_id).collect::<Vec<_>>())
    .bind(seller.uuid())
    .fetch_all(&mut **tx)
    .await
}

/// A tenant's lead.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lead(tx: &mut TenantTx, seller: SellerId, id: LeadId) -> Result<Option<LeadRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT lead_id, seller_id, supplier_id, campaign_id, category_id, received_at, decided_at, expires_at, state, \
           quality, data::text AS data, raw::text AS raw, unknown_fields::text AS unknown_fields, trace, masked_at \
         FROM distribution.leads WHERE lead_id = $1 AND seller_id = $2 \
           AND received_at = (SELECT received_at FROM distribution.lead_ids WHERE lead_id = $1)",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await
}

/// Its sales.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sales(tx: &mut TenantTx, seller: SellerId, id: LeadId) -> Result<Vec<SaleRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT a.assignment_id, a.buyer_id, a.subscription_id, a.price, a.currency, a.assigned_at, r.return_id, \
           r.state AS return_state \
         FROM distribution.assignments a LEFT JOIN distribution.returns r ON r.assignment_id = a.assignment_id \
         WHERE a.lead_id = $1 AND a.seller_id = $2 ORDER BY a.assignment_id",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_all(&mut **tx)
    .await
}
