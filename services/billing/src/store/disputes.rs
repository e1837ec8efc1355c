//! Disputes of charges.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::DisputeState;
use leadflow_kernel::{BuyerId, PaymentId, PostingId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::Row;

use super::unreadable;

/// A dispute as it is booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The provider's id.
    pub id: String,
    /// The tenant.
    pub seller: SellerId,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// The payment that is disputed.
    pub payment: PaymentId,
    /// Major units, as it was booked first.
    pub amount: Decimal,
    /// Where it stands.
    pub state: DisputeState,
    /// The posting that set the money aside.
    pub opened_posting: Option<PostingId>,
    /// The posting of the decision.
    pub closed_posting: Option<PostingId>,
}

/// What is known of a dispute: its amount and where it stands. Its payment must be locked.
pub async fn find(
    tx: &mut TenantTx,
    tenant: SellerId,
    id: &str,
) -> Result<Option<(Decimal, DisputeState)>, sqlx::Error> {
    let row = sqlx::query("SELECT amount, state FROM billing.disputes WHERE seller_id = $1 AND dispute_id = $2")
        .bind(tenant.uuid())
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| {
        let state = row.try_get::<&str, _>("state")?;
        let state =
            DisputeState::from_name(state).ok_or_else(|| unreadable(format!("state of a dispute: {state:?}")))?;
        Ok((row.try_get("amount")?, state))
    })
    .transpose()
}

/// Writes it, or where it stands now.
pub async fn save(tx: &mut TenantTx, dispute: &Dispute, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.disputes AS d (dispute_id, seller_id, buyer_id, payment_id, amount, state, opened_posting, closed_posting, \
           opened_at, closed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $6 = 'open' THEN NULL ELSE $9 END) \
         ON CONFLICT (dispute_id) DO UPDATE SET state = excluded.state, closed_posting = excluded.closed_posting, \
           closed_at = excluded.closed_at \
         WHERE d.seller_id = excluded.seller_id AND d.state = 'open'",
    )
    .bind(&dispute.id)
    .bind(dispute.seller.uuid())
    .bind(dispute.buyer.uuid())
    .bind(dispute.payment.uuid())
    .bind(dispute.amount)
    .bind(dispute.state.name())
    .bind(dispute.opened_posting.map(PostingId::uuid))
    .bind(dispute.closed_posting.map(PostingId::uuid))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}
