//! What went back to cards.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{RefundState, Refunds};
use leadflow_kernel::{BuyerId, PaymentId, PostingId, RefundId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

/// A part of a charge that went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its id; of ours also the provider's idempotency key.
    pub id: RefundId,
    /// The tenant.
    pub seller: SellerId,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The request that wanted it; `None` for one made on the provider's own pages.
    pub request: Option<String>,
    /// Major units; more than zero.
    pub amount: Decimal,
    /// Where it stands.
    pub state: RefundState,
    /// The provider's id, once it is known.
    pub provider_id: Option<String>,
    /// The posting that took the money.
    pub posting: PostingId,
    /// The posting that brought it back.
    pub failed_posting: Option<PostingId>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// How often the provider was asked.
    pub attempts: u32,
}

/// "Give this much of a buyer's balance back."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// The tenant.
    pub seller: SellerId,
    /// Made by the caller; unique in the tenant.
    pub id: String,
    /// Whose balance.
    pub buyer: BuyerId,
    /// Major units.
    pub amount: Decimal,
    /// In words.
    pub reason: String,
}

macro_rules! refunds {
    ($tail:literal) => {
        concat!(
            "SELECT refund_id, seller_id, buyer_id, payment_id, request_id, amount, state, provider_id, posting_id, failed_posting, \
                    created_at, attempts \
             FROM billing.refunds ",
            $tail
        )
    };
}

/// Records a request, if its id is new. Waits for another transaction that is recording the same.
pub async fn insert_request(
    tx: &mut TenantTx,
    request: &RefundRequest,
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.refund_requests (seller_id, request_id, buyer_id, amount, reason, at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(request.seller.uuid())
    .bind(&request.id)
    .bind(request.buyer.uuid())
    .bind(request.amount)
    .bind(&request.reason)
    .bind(at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whose balance, and how much, the request with this id wanted.
pub async fn find_request(
    tx: &mut TenantTx,
    tenant: SellerId,
    id: &str,
) -> Result<Option<(BuyerId, Decimal)>, sqlx::Error> {
    let row =
        sqlx::query("SELECT buyer_id, amount FROM billing.refund_requests WHERE seller_id = $1 AND request_id = $2")
            .bind(tenant.uuid())
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    row.map(|row| Ok((BuyerId::from_uuid(row.try_get("buyer_id")?), row.try_get("amount")?))).transpose()
}

/// Writes a new one. The provider is asked about a pending one at `attempt_at`, unless somebody did before.
pub async fn insert(tx: &mut TenantTx, refund: &Refund, attempt_at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let pending = refund.state == RefundState::Pending;
    sqlx::query(
        "INSERT INTO billing.refunds (refund_id, seller_id, buyer_id, payment_id, request_id, amount, state, provider_id, posting_id, \
           failed_posting, created_at, settled_at, attempt_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(refund.id.uuid())
    .bind(refund.seller.uuid())
    .bind(refund.buyer.uuid())
    .bind(refund.payment.uuid())
    .bind(&refund.request)
    .bind(refund.amount)
    .bind(refund.state.name())
    .bind(&refund.provider_id)
    .bind(refund.posting.uuid())
    .bind(refund.failed_posting.map(PostingId::uuid))
    .bind(refund.created_at)
    .bind((!pending).then_some(refund.created_at))
    .bind(pending.then_some(attempt_at))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// The refunds that a request made, newest payment first.
pub async fn of_request(tx: &mut TenantTx, tenant: SellerId, request: &str) -> Result<Vec<Refund>, sqlx::Error> {
    let rows = sqlx::query(refunds!("WHERE seller_id = $1 AND request_id = $2 ORDER BY refund_id"))
        .bind(tenant.uuid())
        .bind(request)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(read).collect()
}

/// Locks one. The wallet and the payment must be locked before.
pub async fn lock(tx: &mut TenantTx, tenant: SellerId, id: RefundId) -> Result<Option<Refund>, sqlx::Error> {
    let row = sqlx::query(refunds!("WHERE seller_id = $1 AND refund_id = $2 FOR UPDATE"))
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// One of ours that the provider speaks of, by our id or by its own; of all tenants, the provider does not know them.
pub async fn named(
    connection: &mut PgConnection,
    id: Option<RefundId>,
    provider_id: &str,
) -> Result<Option<Refund>, sqlx::Error> {
    let row = sqlx::query(refunds!("WHERE refund_id = $1 OR provider_id = $2 LIMIT 1"))
        .bind(id.map(RefundId::uuid))
        .bind(provider_id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Saves what news changed.
pub async fn save(
    tx: &mut TenantTx,
    refund: &Refund,
    attempt_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE billing.refunds SET state = $3, provider_id = $4, failed_posting = $5, attempt_at = $6, \
           settled_at = CASE WHEN $3 = 'pending' THEN NULL ELSE $7 END \
         WHERE seller_id = $1 AND refund_id = $2",
    )
    .bind(refund.seller.uuid())
    .bind(refund.id.uuid())
    .bind(refund.state.name())
    .bind(&refund.provider_id)
    .bind(refund.failed_posting.map(PostingId::uuid))
    .bind(attempt_at)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// What is booked of refunds of a payment, which must be locked.
pub async fn booked(tx: &mut TenantTx, tenant: SellerId, payment: PaymentId) -> Result<Refunds, sqlx::Error> {
    let row = sqlx::query(
        "SELECT coalesce(sum(amount) FILTER (WHERE request_id IS NOT NULL AND (provider_id IS NOT NULL OR state = 'succeeded') AND state <> 'failed'), 0) AS certain, \
           coalesce(sum(amount) FILTER (WHERE request_id IS NOT NULL AND provider_id IS NULL AND state = 'pending'), 0) AS uncertain, \
           coalesce(sum(amount) FILTER (WHERE request_id IS NULL AND state <> 'failed'), 0) \
             - coalesce(sum(amount) FILTER (WHERE request_id IS NULL AND state = 'failed'), 0) AS foreign_ones \
         FROM billing.refunds WHERE seller_id = $1 AND payment_id = $2",
    )
    .bind(tenant.uuid())
    .bind(payment.uuid())
    .fetch_one(&mut **tx)
    .await?;
    Ok(Refunds {
        certain: row.try_get("certain")?,
        uncertain: row.try_get("uncertain")?,
        foreign: row.try_get("foreign_ones")?,
    })
}

/// Takes refunds whose provider is to be asked now, of all tenants: nobody else takes them before `lease_until`.
pub async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Refund>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE billing.refunds SET attempt_at = $2, attempts = attempts + 1 \
         WHERE refund_id IN (SELECT refund_id FROM billing.refunds WHERE attempt_at <= $1 ORDER BY attempt_at LIMIT $3 \
           FOR UPDATE SKIP LOCKED) \
         RETURNING refund_id, seller_id, buyer_id, payment_id, request_id, amount, state, provider_id, posting_id, failed_posting, \
           created_at, attempts",
    )
    .bind(now)
    .bind(lease_until)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// The provider is asked about it again then, if it is still to be asked at all.
pub async fn ask_again(
    connection: &mut PgConnection,
    id: RefundId,
    attempt_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE billing.refunds SET attempt_at = $2 WHERE refund_id = $1 AND attempt_at IS NOT NULL")
        .bind(id.uuid())
        .bind(attempt_at)
        .execute(connection)
        .await
        .map(|_| ())
}

fn read(row: &PgRow) -> Result<Refund, sqlx::Error> {
    let state = row.try_get::<&str, _>("state")?;
    Ok(Refund {
        id: RefundId::from_uuid(row.try_get("refund_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
        payment: PaymentId::from_uuid(row.try_get("payment_id")?),
        request: row.try_get("request_id")?,
        amount: row.try_get("amount")?,
        state: RefundState::from_name(state).ok_or_else(|| unreadable(format!("state of a refund: {state:?}")))?,
        provider_id: row.try_get("provider_id")?,
        posting: PostingId::from_uuid(row.try_get("posting_id")?),
        failed_posting: row.try_get::<Option<Uuid>, _>("failed_posting")?.map(PostingId::from_uuid),
        created_at: row.try_get("created_at")?,
        attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).map_err(unreadable)?,
    })
}
