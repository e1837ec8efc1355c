//! Leads and sales, added up by the database.

use chrono::{DateTime, Utc};
use leadflow_distribution_domain::ask::Range;
use leadflow_kernel::{BuyerId, Currency, SellerId, SupplierId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

use crate::store::columns;

/// The calendar of a tenant and the currency of its prices. `None`: not known (yet).
///
/// # Errors
/// Those of PostgreSQL.
pub async fn tenant(tx: &mut TenantTx, seller: SellerId) -> Result<Option<(chrono_tz::Tz, Currency)>, sqlx::Error> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT time_zone, currency FROM distribution.sellers WHERE seller_id = $1")
            .bind(seller.uuid())
            .fetch_optional(&mut **tx)
            .await?;
    row.map(|(zone, currency)| Ok((columns::zone(&zone)?, columns::currency(&currency)?))).transpose()
}

/// Whose leads and sales are added up by day.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// The tenant's leads on the day they came, and its sales on the day they were made.
    Tenant,
    /// What a buyer bought, on the day it was.
    Buyer(BuyerId),
    /// A supplier's leads with what they brought so far, on the day they came.
    Supplier(SupplierId),
}

/// A part of a sum by day.
#[derive(Debug, Clone, FromRow)]
pub struct DayRow {
    /// The number of the day, from 1.
    pub day: i32,
    pub leads: i64,
    pub sold: i64,
    pub rejected: i64,
    pub assignments: i64,
    pub revenue: Decimal,
    pub returned: i64,
}

/// Sales of each day, and what of them was undone: that counts where the sale did, with its price taken off.
const TENANT_DAYS: &str = "\
    SELECT day, sum(leads)::bigint AS leads, sum(sold)::bigint AS sold, sum(rejected)::bigint AS rejected, \
      sum(assignments)::bigint AS assignments, sum(revenue) AS revenue, sum(returned)::bigint AS returned \
    FROM (SELECT width_bucket(received_at, $4::timestamptz[]) AS day, count(*) AS leads, \
            count(*) FILTER (WHERE outcome = 2) AS sold, count(*) FILTER (WHERE outcome = 4) AS rejected, \
            0::bigint AS assignments, 0::numeric AS revenue, 0::bigint AS returned \
          FROM distribution.leads \
          WHERE seller_id = $1 AND received_at >= $2 AND received_at < $3 AND NOT test GROUP BY 1 \
          UNION ALL \
          SELECT width_bucket(a.assigned_at, $4::timestamptz[]), 0, 0, 0, count(*), sum(a.price), 0 \
          FROM distribution.buyers b JOIN distribution.assignments a ON a.buyer_id = b.buyer_id \
          WHERE b.seller_id = $1 AND a.assigned_at >= $2 AND a.assigned_at < $3 GROUP BY 1 \
          UNION ALL \
          SELECT width_bucket(assigned_at, $4::timestamptz[]), 0, 0, 0, 0, -sum(price), count(*) \
          FROM distribution.returns \
          WHERE seller_id = $1 AND assigned_at >= $2 AND assigned_at < $3 AND state = 'approved' GROUP BY 1) t \
    GROUP BY day";

const BUYER_DAYS: &str = "\
    SELECT day, sum(leads)::bigint AS leads, sum(leads)::bigint AS sold, 0::bigint AS rejected, \
      sum(leads)::bigint AS assignments, sum(revenue) AS revenue, sum(returned)::bigint AS returned \
    FROM (SELECT width_bucket(a.assigned_at, $4::timestamptz[]) AS day, count(*) AS leads, sum(a.price) AS revenue, \
            0::bigint AS returned \
          FROM distribution.buyers b JOIN distribution.assignments a ON a.buyer_id = b.buyer_id \
          WHERE b.seller_id = $1 AND b.buyer_id = $5 AND a.assigned_at >= $2 AND a.assigned_at < $3 GROUP BY 1 \
          UNION ALL \
          SELECT width_bucket(assigned_at, $4::timestamptz[]), 0, -sum(price), count(*) FROM distribution.returns \
          WHERE seller_id = $1 AND buyer_id = $5 AND assigned_at >= $2 AND assigned_at < $3 AND state = 'approved' \
          GROUP BY 1) t \
    GROUP BY day";

const SUPPLIER_DAYS: &str = "\
    SELECT day, sum(leads)::bigint AS leads, sum(sold)::bigint AS sold, sum(rejected)::bigint AS rejected, \
      sum(assignments)::bigint AS assignments, sum(revenue) AS revenue, sum(returned)::bigint AS returned \
    FROM (SELECT width_bucket(received_at, $4::timestamptz[]) AS day, count(*) AS leads, \
            count(*) FILTER (WHERE outcome = 2) AS sold, count(*) FILTER (WHERE outcome = 4) AS rejected, \
            sum(buyers_assigned) AS assignments, coalesce(sum(price), 0) AS revenue, \
            0::bigint AS returned \
          FROM distribution.leads \
          WHERE seller_id = $1 AND received_at >= $2 AND received_at < $3 AND supplier_id = $5 AND NOT test GROUP BY 1 \
          UNION ALL \
          SELECT width_bucket(received_at, $4::timestamptz[]), 0, 0, 0, 0, -sum(price), count(*) \
          FROM distribution.returns \
          WHERE seller_id = $1 AND received_at >= $2 AND received_at < $3 AND supplier_id = $5 AND state = 'approved' \
          GROUP BY 1) t \
    GROUP BY day";

/// Sums of a range by day; `starts` has the first moment of each in it. Days without anything are left out.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn by_day(
    tx: &mut TenantTx,
    seller: SellerId,
    (from, until): Range,
    whose: Whose,
    starts: &[DateTime<Utc>],
) -> Result<Vec<DayRow>, sqlx::Error> {
    let (sql, id) = match whose {
        Whose::Tenant => (TENANT_DAYS, None),
        Whose::Buyer(id) => (BUYER_DAYS, Some(id.uuid())),
        Whose::Supplier(id) => (SUPPLIER_DAYS, Some(id.uuid())),
    };
    let query = sqlx::query_as(sql).bind(seller.uuid()).bind(from).bind(until).bind(starts);
    match id {
        Some(id) => query.bind(id).fetch_all(&mut **tx).await,
        None => query.fetch_all(&mut **tx).await,
    }
}

/// By what leads and sales are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Sales of the range, by who bought.
    Buyer,
    /// Leads of the range with what they brought so far, by who posted them.
    Supplier,
    /// The same by campaign.
    Campaign,
    /// The same by category.
    Category,
}

/// A sum.
#[derive(Debug, Clone, FromRow)]
pub struct SumRow {
    pub id: Uuid,
    pub leads: i64,
    pub sold: i64,
    pub assignments: i64,
    pub revenue: Decimal,
    pub returned: i64,
    pub last_at: DateTime<Utc>,
}

/// Leads that came, by one of their columns, which returns have, too.
macro_rules! leads_by {
    ($column:literal) => {
        concat!(
            "SELECT id, sum(leads)::bigint AS leads, sum(sold)::bigint AS sold, sum(assignments)::bigint AS assignments, \
               sum(revenue) AS revenue, sum(returned)::bigint AS returned, max(last_at) AS last_at \
             FROM (SELECT ",
            $column,
            " AS id, count(*) AS leads, count(*) FILTER (WHERE outcome = 2) AS sold, \
               sum(buyers_assigned) AS assignments, coalesce(sum(price), 0) AS revenue, \
               0::bigint AS returned, max(received_at) AS last_at \
             FROM distribution.leads \
             WHERE seller_id = $1 AND received_at >= $2 AND received_at < $3 AND NOT test \
               AND (cardinality($4::uuid[]) = 0 OR ",
            $column,
            " = ANY($4)) GROUP BY 1 \
             UNION ALL SELECT ",
            $column,
            ", 0, 0, 0, -sum(price), count(*), NULL FROM distribution.returns \
             WHERE seller_id = $1 AND received_at >= $2 AND received_at < $3 AND state = 'approved' \
               AND (cardinality($4::uuid[]) = 0 OR ",
            $column,
            " = ANY($4)) GROUP BY 1) t GROUP BY id ORDER BY assignments DESC, leads DESC, id LIMIT $5"
        )
    };
}

/// The lead of each sale. None was received much after it was sold, so later months are not looked at.
macro_rules! lead_of_sale {
    () => {
        "JOIN distribution.lead_ids i ON i.lead_id = a.lead_id JOIN distribution.leads l \
           ON l.lead_id = i.lead_id AND l.received_at = i.received_at AND l.received_at < $3::timestamptz + interval '1 day'"
    };
}

/// Sales that were made, all or one buyer's, by a column of the sale or its lead, and how returns call it.
macro_rules! sales_by {
    ($column:literal, $join:expr, $returned:literal) => {
        concat!(
            "SELECT id, sum(leads)::bigint AS leads, sum(leads)::bigint AS sold, sum(leads)::bigint AS assignments, \
               sum(revenue) AS revenue, sum(returned)::bigint AS returned, max(last_at) AS last_at \
             FROM (SELECT ",
            $column,
            " AS id, count(*) AS leads, sum(a.price) AS revenue, 0::bigint AS returned, max(a.assigned_at) AS last_at \
             FROM distribution.buyers b JOIN distribution.assignments a ON a.buyer_id = b.buyer_id ",
            $join,
            " WHERE b.seller_id = $1 AND ($6::uuid IS NULL OR b.buyer_id = $6) \
               AND a.assigned_at >= $2 AND a.assigned_at < $3 AND (cardinality($4::uuid[]) = 0 OR ",
            $column,
            " = ANY($4)) GROUP BY 1 \
             UNION ALL SELECT ",
            $returned,
            ", 0, -sum(price), count(*), NULL FROM distribution.returns \
             WHERE seller_id = $1 AND ($6::uuid IS NULL OR buyer_id = $6) AND assigned_at >= $2 AND assigned_at < $3 \
               AND state = 'approved' AND (cardinality($4::uuid[]) = 0 OR ",
            $returned,
            " = ANY($4)) GROUP BY 1) t GROUP BY id ORDER BY assignments DESC, id LIMIT $5"
        )
    };
}

/// Sums of a range: the `limit` with the most sales, or those of `ids`; with a buyer only of what it bought. What
/// has nothing is left out.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn by(
    tx: &mut TenantTx,
    seller: SellerId,
    (from, until): Range,
    by: By,
    buyer: Option<BuyerId>,
    ids: &[Uuid],
    limit: u32,
) -> Result<Vec<SumRow>, sqlx::Error> {
    let sold = by == By::Buyer || buyer.is_some();
    let sql = match (by, sold) {
        (By::Buyer, _) => sales_by!("b.buyer_id", "", "buyer_id"),
        (By::Supplier, false) => leads_by!("supplier_id"),
        (By::Campaign, false) => leads_by!("campaign_id"),
        (By::Category, false) => leads_by!("category_id"),
        (By::Supplier, true) => {
            sales_by!("l.supplier_id", lead_of_sale!(), "supplier_id")
        }
        (By::Campaign, true) => sales_by!("a.campaign_id", "", "campaign_id"),
        (By::Category, true) => {
            sales_by!("l.category_id", lead_of_sale!(), "category_id")
        }
    };
    let query =
        sqlx::query_as(sql).bind(seller.uuid()).bind(from).bind(until).bind(ids.to_vec()).bind(i64::from(limit));
    let query = if sold { query.bind(buyer.map(|id| id.uuid())) } else { query };
    query.fetch_all(&mut **tx).await
}
