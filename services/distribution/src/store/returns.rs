//! Sales that buyers ask to undo.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_distribution_domain::{
    ask::Page,
    returns::{RefusalPolicy, ReturnPolicy, ReturnState},
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, ReturnId, SellerId, SubscriptionId, UserId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    catalogue::MAX_COUNTED,
    columns::{return_state_text, unsigned},
};

/// A sale as it is judged; the migrations describe each column.
#[derive(Debug, FromRow)]
pub struct SoldRow {
    pub campaign_id: Uuid,
    pub assigned_at: DateTime<Utc>,
    pub time_zone: String,
    returns_days: i32,
    returns_max_share: i32,
    returns_reasons: Vec<String>,
    returns_auto_approve: bool,
    returns_out_of_caps: bool,
    refusals_credited: bool,
    refusals_sold_on: bool,
    refusals_max_share: i32,
}

impl SoldRow {
    /// What its campaign takes back.
    ///
    /// # Errors
    /// When a column is impossible.
    pub fn policy(&self) -> Result<ReturnPolicy, sqlx::Error> {
        Ok(ReturnPolicy {
            days: unsigned(self.returns_days, "returns_days")?,
            max_share_percent: unsigned(self.returns_max_share, "returns_max_share")?,
            reasons: self.returns_reasons.clone(),
            auto_approve: self.returns_auto_approve,
            counts_out_of_caps: self.returns_out_of_caps,
            refusals: RefusalPolicy {
                credited: self.refusals_credited,
                sold_on: self.refusals_sold_on,
                max_share_percent: unsigned(self.refusals_max_share, "refusals_max_share")?,
            },
        })
    }
}

/// A sale of this buyer with what its campaign takes back. The buyer is locked: of two wishes at once the second sees the first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_sold(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    id: AssignmentId,
) -> Result<Option<SoldRow>, sqlx::Error> {
    sqlx::query("SELECT FROM distribution.buyers WHERE buyer_id = $1 AND seller_id = $2 FOR NO KEY UPDATE")
        .bind(buyer.uuid())
        .bind(seller.uuid())
        .execute(&mut **tx)
        .await?;
    sqlx::query_as(
        "SELECT a.campaign_id, a.assigned_at, s.time_zone, c.returns_days, c.returns_max_share, \
           c.returns_reasons, c.returns_auto_approve, c.returns_out_of_caps, c.refusals_credited, c.refusals_sold_on, \
           c.refusals_max_share \
         FROM distribution.assignments a JOIN distribution.campaigns c ON c.campaign_id = a.campaign_id \
           JOIN distribution.sellers s ON s.seller_id = a.seller_id \
         WHERE a.assignment_id = $1 AND a.buyer_id = $2 AND a.seller_id = $3",
    )
    .bind(id.uuid())
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await
}

/// What a buyer bought in a campaign in a range, and what of it was undone or is asked back, without what was rejected: by him, or
/// (`by_receiver`) because his system refused it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn bought_and_returned(
    tx: &mut TenantTx,
    buyer: BuyerId,
    campaign: CampaignId,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    by_receiver: bool,
) -> Result<(u64, u64), sqlx::Error> {
    let (bought, returned): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM distribution.assignments \
                 WHERE buyer_id = $1 AND campaign_id = $2 AND assigned_at >= $3 AND assigned_at < $4), \
           (SELECT count(*) FROM distribution.returns \
            WHERE buyer_id = $1 AND campaign_id = $2 AND assigned_at >= $3 AND assigned_at < $4 AND state <> 'rejected' \
              AND by_receiver = $5)",
    )
    .bind(buyer.uuid())
    .bind(campaign.uuid())
    .bind(from)
    .bind(until)
    .bind(by_receiver)
    .fetch_one(&mut **tx)
    .await?;
    Ok((u64::try_from(bought).unwrap_or(0), u64::try_from(returned).unwrap_or(u64::MAX)))
}

/// What a buyer asks for.
#[derive(Debug, Clone)]
pub struct NewReturn<'a> {
    /// Its id.
    pub id: ReturnId,
    /// The tenant.
    pub seller: SellerId,
    /// The sale.
    pub assignment: AssignmentId,
    /// Why, as the campaign calls it.
    pub reason: &'a str,
    /// In words.
    pub note: &'a str,
    /// Who asks.
    pub by: Option<UserId>,
    /// What becomes of it at first; approved is by the policy then.
    pub state: ReturnState,
    /// The sale counts no more for its day's cap.
    pub out_of_caps: bool,
    /// The buyer's system refused the lead.
    pub by_receiver: bool,
}

/// Writes a wish to undo a sale, which must exist. Words about a lead whose personal data was removed meanwhile are left out; who removes it at
/// the moment is waited for, as he waits for this.
///
/// # Errors
/// Those of PostgreSQL; a unique violation when the sale was asked back before, or the id is in use.
pub async fn insert(tx: &mut TenantTx, new: &NewReturn<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.returns (return_id, seller_id, assignment_id, lead_id, buyer_id, campaign_id, category_id, \
           supplier_id, price, currency, received_at, assigned_at, state, reason, note, requested_at, requested_by, decided_at, \
           automatic, out_of_caps, by_receiver) \
         SELECT $1, a.seller_id, a.assignment_id, a.lead_id, a.buyer_id, a.campaign_id, l.category_id, l.supplier_id, a.price, \
           a.currency, l.received_at, a.assigned_at, $2, $3, CASE WHEN l.masked_at IS NULL THEN $4 ELSE '' END, $5, $6, CASE WHEN $7 THEN $5 END, $7, $10, $11 \
         FROM distribution.assignments a CROSS JOIN LATERAL (SELECT p.category_id, p.supplier_id, p.received_at, p.masked_at \
           FROM distribution.leads p WHERE p.lead_id = a.lead_id AND p.received_at = \
             (SELECT i.received_at FROM distribution.lead_ids i WHERE i.lead_id = a.lead_id) OFFSET 0 FOR SHARE OF p) l \
         WHERE a.assignment_id = $8 AND a.seller_id = $9",
    )
    .bind(new.id.uuid())
    .bind(return_state_text(new.state))
    .bind(new.reason)
    .bind(new.note)
    .bind(now)
    .bind(new.by.map(UserId::uuid))
    .bind(new.state == ReturnState::Approved)
    .bind(new.assignment.uuid())
    .bind(new.seller.uuid())
    .bind(new.out_of_caps)
    .bind(new.by_receiver)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Puts a lead up for sale again that nobody has any more, until the time of its campaign is up: all its sales are undone, and it was not
/// broadcast. Its campaign's routing row must be locked. Tells whether it is.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sell_again(
    tx: &mut TenantTx,
    seller: SellerId,
    lead: LeadId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.leads l SET outcome = 3, reason = $3, decided_at = $4, \
           expires_at = l.received_at + make_interval(hours => c.lead_ttl_hours) \
         FROM distribution.campaigns c \
         WHERE l.lead_id = $1 AND l.received_at = (SELECT received_at FROM distribution.lead_ids WHERE lead_id = $1) \
           AND l.seller_id = $2 AND c.campaign_id = l.campaign_id AND l.outcome = 2 AND NOT l.test AND l.masked_at IS NULL \
           AND c.logic <> 'broadcast' AND l.received_at + make_interval(hours => c.lead_ttl_hours) > $4 \
           AND NOT EXISTS (SELECT FROM distribution.assignments a WHERE a.lead_id = $1 AND NOT EXISTS ( \
             SELECT FROM distribution.returns r WHERE r.assignment_id = a.assignment_id AND r.state = 'approved'))",
    )
    .bind(lead.uuid())
    .bind(seller.uuid())
    .bind(reason)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
}

/// A return with its campaign's name; the migrations describe each column.
#[derive(Debug, Clone, FromRow)]
pub struct ReturnRow {
    pub return_id: Uuid,
    pub seller_id: Uuid,
    pub assignment_id: Uuid,
    pub lead_id: Uuid,
    pub buyer_id: Uuid,
    pub campaign_id: Uuid,
    pub campaign_name: String,
    /// What the campaign's policy says today.
    pub counts_out_of_caps: bool,
    pub price: Decimal,
    pub currency: String,
    pub assigned_at: DateTime<Utc>,
    pub state: String,
    pub reason: String,
    pub note: String,
    pub requested_at: DateTime<Utc>,
    pub requested_by: Option<Uuid>,
    pub decided_at: Option<DateTime<Utc>>,
    pub decided_by: Option<Uuid>,
    pub decision_note: String,
    pub automatic: bool,
    pub out_of_caps: bool,
    pub by_receiver: bool,
}

macro_rules! returns {
    ($tail:literal) => {
        concat!(
            "SELECT r.return_id, r.seller_id, r.assignment_id, r.lead_id, r.buyer_id, r.campaign_id, c.name AS campaign_name, \
               c.returns_out_of_caps AS counts_out_of_caps, r.price, r.currency, r.assigned_at, r.state, r.reason, r.note, \
               r.requested_at, r.requested_by, r.decided_at, r.decided_by, r.decision_note, r.automatic, r.out_of_caps, \
               r.by_receiver \
             FROM distribution.returns r JOIN distribution.campaigns c ON c.campaign_id = r.campaign_id ",
            $tail
        )
    };
}

/// A tenant's return, of any of its buyers or of this one.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn get(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: Option<BuyerId>,
    id: ReturnId,
) -> Result<Option<ReturnRow>, sqlx::Error> {
    sqlx::query_as(returns!("WHERE r.return_id = $1 AND r.seller_id = $2 AND ($3::uuid IS NULL OR r.buyer_id = $3)"))
        .bind(id.uuid())
        .bind(seller.uuid())
        .bind(buyer.map(BuyerId::uuid))
        .fetch_optional(&mut **tx)
        .await
}

/// The same, locked: of two decisions at once the second sees the first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(tx: &mut TenantTx, seller: SellerId, id: ReturnId) -> Result<Option<ReturnRow>, sqlx::Error> {
    sqlx::query_as(returns!("WHERE r.return_id = $1 AND r.seller_id = $2 FOR UPDATE OF r"))
        .bind(id.uuid())
        .bind(seller.uuid())
        .fetch_optional(&mut **tx)
        .await
}

/// Keeps the lead of a return as it is until the transaction ends, and tells whether its personal data are gone. Before [`lock`]: masking
/// locks leads first, then returns.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn hold_lead(tx: &mut TenantTx, seller: SellerId, id: ReturnId) -> Result<bool, sqlx::Error> {
    let masked: Option<bool> = sqlx::query_scalar(
        "SELECT p.masked_at IS NOT NULL FROM distribution.leads p \
         WHERE (p.lead_id, p.received_at) = (SELECT r.lead_id, i.received_at FROM distribution.returns r \
           JOIN distribution.lead_ids i ON i.lead_id = r.lead_id WHERE r.return_id = $1 AND r.seller_id = $2) FOR SHARE",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(masked.unwrap_or_default())
}

/// The return of a sale.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_sale(tx: &mut TenantTx, seller: SellerId, id: AssignmentId) -> Result<Option<ReturnRow>, sqlx::Error> {
    sqlx::query_as(returns!("WHERE r.assignment_id = $1 AND r.seller_id = $2"))
        .bind(id.uuid())
        .bind(seller.uuid())
        .fetch_optional(&mut **tx)
        .await
}

/// Writes what a person decided about a locked return.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn decide(
    tx: &mut TenantTx,
    id: ReturnId,
    state: ReturnState,
    by: Option<UserId>,
    note: &str,
    out_of_caps: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.returns SET state = $2, decided_at = $3, decided_by = $4, decision_note = $5, out_of_caps = $6 \
         WHERE return_id = $1",
    )
    .bind(id.uuid())
    .bind(return_state_text(state))
    .bind(now)
    .bind(by.map(UserId::uuid))
    .bind(note)
    .bind(out_of_caps)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Of which subscription a sale was.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn subscription_of(
    tx: &mut TenantTx,
    seller: SellerId,
    id: AssignmentId,
) -> Result<Option<SubscriptionId>, sqlx::Error> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "SELECT subscription_id FROM distribution.assignments WHERE assignment_id = $1 AND seller_id = $2",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(SubscriptionId::from))
}

/// Counts a sale of `day` no more for its buyer's cap; its campaign's routing row must be locked. A later subscription of his began with
/// the counts of those before it, so all that were served after the one that bought are counted down. Tells whether any was: a
/// day that is over counts for nothing.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn count_out_of_cap(
    tx: &mut TenantTx,
    campaign: CampaignId,
    buyer: BuyerId,
    subscription: SubscriptionId,
    day: NaiveDate,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.subscription_rotation r SET sold_today = r.sold_today - 1 \
         FROM distribution.subscriptions s \
         WHERE r.campaign_id = $1 AND s.campaign_id = $1 AND s.buyer_id = $2 AND s.subscription_id = r.subscription_id \
           AND r.cap_day = $4 AND r.sold_today > 0 AND r.last_served >= (SELECT b.last_served \
             FROM distribution.subscription_rotation b WHERE b.campaign_id = $1 AND b.subscription_id = $3)",
    )
    .bind(campaign.uuid())
    .bind(buyer.uuid())
    .bind(subscription.uuid())
    .bind(day)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
}

/// Which returns.
#[derive(Debug, Clone)]
pub struct ReturnFilter {
    /// Of this buyer.
    pub buyer: Option<BuyerId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// In one of these states; empty: any.
    pub states: Vec<ReturnState>,
    /// Asked for then or later.
    pub from: Option<DateTime<Utc>>,
    /// Asked for before.
    pub until: Option<DateTime<Utc>>,
}

macro_rules! matching {
    () => {
        "WHERE r.seller_id = $1 AND ($2::uuid IS NULL OR r.buyer_id = $2) AND ($3::uuid IS NULL OR r.campaign_id = $3) \
           AND (cardinality($4::text[]) = 0 OR r.state = ANY($4)) \
           AND ($5::timestamptz IS NULL OR r.requested_at >= $5) AND ($6::timestamptz IS NULL OR r.requested_at < $6) "
    };
}

macro_rules! bind {
    ($query:expr, $seller:expr, $wanted:expr) => {
        $query
            .bind($seller.uuid())
            .bind($wanted.buyer.map(BuyerId::uuid))
            .bind($wanted.campaign.map(CampaignId::uuid))
            .bind($wanted.states.iter().map(|state| return_state_text(*state)).collect::<Vec<&str>>())
            .bind($wanted.from)
            .bind($wanted.until)
    };
}

/// A page of them, those asked for last first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn list(
    tx: &mut TenantTx,
    seller: SellerId,
    wanted: &ReturnFilter,
    page: Page,
) -> Result<Vec<ReturnRow>, sqlx::Error> {
    let sql = concat!(returns!(""), matching!(), "ORDER BY r.requested_at DESC, r.return_id DESC OFFSET $7 LIMIT $8");
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
pub async fn count(tx: &mut TenantTx, seller: SellerId, wanted: &ReturnFilter) -> Result<i64, sqlx::Error> {
    let sql = concat!("SELECT count(*) FROM (SELECT 1 FROM distribution.returns r ", matching!(), "LIMIT $7) t");
    bind!(sqlx::query_scalar(sql), seller, wanted).bind(MAX_COUNTED).fetch_one(&mut **tx).await
}
