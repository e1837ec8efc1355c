//! What a buyer bought, the newest first, and what of it was looked at.

use chrono::{DateTime, Utc};
use leadflow_distribution_domain::ask::{MAX_PAGED, Page};
use leadflow_kernel::{AssignmentId, BuyerId, CategoryId, LeadId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

use super::MAX_COUNTED;

/// Which purchases.
#[derive(Debug, Clone)]
pub struct PurchaseFilter {
    /// Whose.
    pub buyer: BuyerId,
    /// Of this lead.
    pub lead: Option<LeadId>,
    /// Leads of this category.
    pub category: Option<CategoryId>,
    /// Bought then or later.
    pub from: Option<DateTime<Utc>>,
    /// Bought before.
    pub until: Option<DateTime<Utc>>,
    /// Of which the buyer has done this.
    pub standing: Option<Standing>,
}

/// What a buyer has done about a purchase. One that he asked to have undone is only that, looked at or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Unseen,
    /// Looked at it.
    Viewed,
    /// Asked to have it undone; not decided.
    ReturnRequested,
    /// It was undone.
    Returned,
    /// He asked in vain.
    ReturnRejected,
}

impl Standing {
    /// The word for the statements: of a return, its state.
    const fn word(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Viewed => "viewed",
            Self::ReturnRequested => "requested",
            Self::Returned => "approved",
            Self::ReturnRejected => "rejected",
        }
    }
}

/// A purchase; the migrations describe each column.
#[derive(Debug, FromRow)]
pub struct PurchaseRow {
    pub assignment_id: Uuid,
    pub lead_id: Uuid,
    pub campaign_id: Uuid,
    pub campaign_name: String,
    pub category_id: Uuid,
    pub category_name: String,
    pub buyer_id: Uuid,
    pub supplier_id: Uuid,
    pub data: String,
    pub state: String,
    pub quality: String,
    pub price: Decimal,
    pub currency: String,
    pub assigned_at: DateTime<Utc>,
    pub viewed_at: Option<DateTime<Utc>>,
    pub return_id: Option<Uuid>,
    pub return_state: Option<String>,
    pub masked_at: Option<DateTime<Utc>>,
}

/// Whose the buyer is, is asked of the buyer: so a sale is found in the index alone.
macro_rules! matching {
    ($of_lead:literal) => {
        concat!(
            "FROM distribution.assignments a WHERE a.buyer_id = $2 \
           AND EXISTS (SELECT 1 FROM distribution.buyers b WHERE b.buyer_id = $2 AND b.seller_id = $1) AND ",
            $of_lead,
            " AND ($4::timestamptz IS NULL OR a.assigned_at >= $4) AND ($5::timestamptz IS NULL OR a.assigned_at < $5) \
           AND ($6::uuid IS NULL OR EXISTS \
             (SELECT 1 FROM distribution.leads l WHERE l.lead_id = a.lead_id AND l.category_id = $6 AND l.received_at = \
               (SELECT i.received_at FROM distribution.lead_ids i WHERE i.lead_id = a.lead_id) OFFSET 0)) \
           AND ($7::text IS NULL OR CASE WHEN $7 IN ('unseen', 'viewed') THEN \
               NOT EXISTS (SELECT 1 FROM distribution.returns r WHERE r.assignment_id = a.assignment_id) \
               AND ($7 = 'viewed') = \
                 EXISTS (SELECT 1 FROM distribution.assignment_views v WHERE v.assignment_id = a.assignment_id) \
             ELSE EXISTS (SELECT 1 FROM distribution.returns r \
               WHERE r.assignment_id = a.assignment_id AND r.state = $7) END) "
        )
    };
}

/// A statement for sales of any lead, or for those of one, which are found by it.
macro_rules! by_lead {
    ($wanted:expr, $head:expr, $tail:expr) => {
        if $wanted.lead.is_some() {
            concat!($head, matching!("a.lead_id = $3::uuid"), $tail)
        } else {
            concat!($head, matching!("$3::uuid IS NULL"), $tail)
        }
    };
}

macro_rules! bind {
    ($query:expr, $seller:expr, $wanted:expr) => {
        $query
            .bind($seller.uuid())
            .bind($wanted.buyer.uuid())
            .bind($wanted.lead.map(|id| id.uuid()))
            .bind($wanted.from)
            .bind($wanted.until)
            .bind($wanted.category.map(|id| id.uuid()))
            .bind($wanted.standing.map(Standing::word))
    };
}

/// Columns and joins of [`PurchaseRow`] around a list of assignments called `page`.
macro_rules! purchase {
    ($viewed_at:literal, $source:literal) => {
        concat!(
            "SELECT a.assignment_id, a.lead_id, a.campaign_id, c.name AS campaign_name, l.category_id, \
               coalesce(k.name, '') AS category_name, a.buyer_id, l.supplier_id, l.data::text AS data, l.state, \
               l.quality, a.price, a.currency, a.assigned_at, ret.return_id, ret.state AS return_state, l.masked_at, ",
            $viewed_at,
            " AS viewed_at FROM ",
            $source,
            " JOIN distribution.assignments a ON a.assignment_id = page.assignment_id \
             CROSS JOIN LATERAL (SELECT * FROM distribution.leads p WHERE p.lead_id = a.lead_id AND p.received_at = \
               (SELECT i.received_at FROM distribution.lead_ids i WHERE i.lead_id = a.lead_id) OFFSET 0) l \
             JOIN distribution.campaigns c ON c.campaign_id = a.campaign_id \
             LEFT JOIN distribution.categories k ON k.category_id = l.category_id AND k.seller_id = a.seller_id \
             LEFT JOIN distribution.assignment_views v ON v.assignment_id = a.assignment_id \
             LEFT JOIN distribution.returns ret ON ret.assignment_id = a.assignment_id "
        )
    };
}

/// A page of them.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn list(
    tx: &mut TenantTx,
    seller: SellerId,
    wanted: &PurchaseFilter,
    page: Page,
) -> Result<Vec<PurchaseRow>, sqlx::Error> {
    let sql = by_lead!(
        wanted,
        "WITH page AS MATERIALIZED (SELECT a.assignment_id ",
        concat!(
            "ORDER BY a.assigned_at DESC, a.assignment_id DESC OFFSET $8 LIMIT $9) ",
            purchase!("v.viewed_at", "page"),
            "WHERE a.seller_id = $1 ORDER BY a.assigned_at DESC, a.assignment_id DESC",
        )
    );
    bind!(sqlx::query_as(sql), seller, wanted)
        .bind(i64::from(page.offset))
        .bind(i64::from(page.limit))
        .fetch_all(&mut **tx)
        .await
}

/// How many there are, up to [`MAX_COUNTED`]; of one category or standing up to what can be paged to, because each has to be looked up.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn count(tx: &mut TenantTx, seller: SellerId, wanted: &PurchaseFilter) -> Result<i64, sqlx::Error> {
    let sql = by_lead!(wanted, "SELECT count(*) FROM (SELECT 1 ", "LIMIT $8) t");
    let most = if wanted.category.is_some() || wanted.standing.is_some() { i64::from(MAX_PAGED) } else { MAX_COUNTED };
    bind!(sqlx::query_scalar(sql), seller, wanted).bind(most).fetch_one(&mut **tx).await
}

/// Remembers that the buyer looked at a purchase at `now`, if it is the first time. `None`: there is no such purchase.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn mark_viewed(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    id: AssignmentId,
    now: DateTime<Utc>,
) -> Result<Option<PurchaseRow>, sqlx::Error> {
    sqlx::query_as(concat!(
        "WITH page AS (SELECT assignment_id FROM distribution.assignments \
           WHERE assignment_id = $1 AND buyer_id = $2 AND seller_id = $3), \
         seen AS (INSERT INTO distribution.assignment_views AS v (assignment_id, viewed_at) \
           SELECT assignment_id, $4 FROM page WHERE NOT EXISTS \
             (SELECT 1 FROM distribution.assignment_views w WHERE w.assignment_id = page.assignment_id) \
           ON CONFLICT (assignment_id) DO UPDATE SET viewed_at = v.viewed_at RETURNING assignment_id, viewed_at) ",
        purchase!(
            "coalesce(seen.viewed_at, v.viewed_at)",
            "page LEFT JOIN seen ON seen.assignment_id = page.assignment_id"
        ),
    ))
    .bind(id.uuid())
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .bind(now)
    .fetch_optional(&mut **tx)
    .await
}
