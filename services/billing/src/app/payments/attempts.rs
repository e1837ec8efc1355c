//! How often a buyer may try cards: whoever has got hold of an account shall not find out with it which of many card numbers are good.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{BuyerId, EventId, SellerId};
use leadflow_platform::db::TenantTx;
use uuid::Uuid;

use super::{PaymentError, Payments};
use crate::{
    app::AppError,
    store::{card_attempts, customers},
};

/// Attempts count for so long.
const WINDOW: TimeDelta = TimeDelta::hours(1);
/// And are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(1);
/// Attempts that are forgotten at once.
const FORGET: i64 = 1_000;

/// What a buyer may try in an hour, on all replicas together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardAttempts {
    /// Times that he begins to store a card, or names one to be stored.
    pub tried: u32,
    /// Cards that are refused when they are stored, and top-ups that are declined.
    pub declined: u32,
}

/// An attempt that was written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt(Uuid);

impl Payments {
    /// Counts an attempt to store a card before it is made, unless there were too many. The buyer must be noted as a customer.
    ///
    /// # Errors
    /// [`PaymentError::TooManyAttempts`], [`AppError::Database`].
    pub(crate) async fn try_card(&self, seller: SellerId, buyer: BuyerId) -> Result<Attempt, AppError> {
        let mut tx = self.billing.tenants.begin(seller).await?;
        self.allow_attempt(&mut tx, seller, buyer).await?;
        let attempt = EventId::new().uuid();
        card_attempts::insert(&mut tx, attempt, seller, buyer, self.now()).await?;
        tx.commit().await?;
        Ok(Attempt(attempt))
    }

    /// The card of an attempt was refused.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub(crate) async fn card_was_refused(&self, seller: SellerId, attempt: Attempt) -> Result<(), AppError> {
        let mut tx = self.billing.tenants.begin(seller).await?;
        card_attempts::declined(&mut tx, seller, attempt.0).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses when the buyer has tried too many cards of late. Others of his wait until the transaction ends, so those at once count, too.
    pub(super) async fn allow_attempt(
        &self,
        tx: &mut TenantTx,
        seller: SellerId,
        buyer: BuyerId,
    ) -> Result<(), AppError> {
        customers::lock(tx, seller, buyer).await?;
        let (now, most) = (self.now(), self.policy.card_attempts);
        let reached = card_attempts::reached(tx, seller, buyer, now - WINDOW, (most.tried, most.declined)).await?;
        match reached.tried.max(reached.declined) {
            None => Ok(()),
            Some(at) => {
                tracing::warn!(buyer_id = %buyer, "a buyer tries too many cards");
                Err(PaymentError::TooManyAttempts { seconds: until(at + WINDOW, now) }.into())
            }
        }
    }

    /// Forgets attempts that do not count any more.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn forget_attempts(&self) -> Result<u64, AppError> {
        let before = self.now() - KEPT;
        let mut connection = self.billing.pool.acquire().await?;
        let mut all = 0;
        loop {
            let some = card_attempts::forget(&mut connection, before, FORGET).await?;
            all += some;
            if some < FORGET.unsigned_abs() {
                return Ok(all);
            }
        }
    }
}

/// Whole seconds, at least one.
fn until(then: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    let milliseconds = (then - now).num_milliseconds().max(1);
    u32::try_from(milliseconds.unsigned_abs().div_ceil(1_000)).unwrap_or(u32::MAX)
}
