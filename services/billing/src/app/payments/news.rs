//! What the provider tells us, by whichever way: an answer, a webhook, or because a worker asked again.

use leadflow_billing_domain::DisputeState;
use leadflow_kernel::{Money, PaymentId, RefundId};

use super::Payments;
use crate::{
    app::AppError,
    outbound::provider::{Intent, RefundStatus},
};

/// Takes news of charges, refunds and disputes. Each may come late, twice, or in any order: what it changes is decided under the wallet's
/// lock against what is booked, so it can always be told again after an error.
#[async_trait::async_trait]
pub trait ProviderNews: Send + Sync + 'static {
    /// A charge as the provider shows it. Money that was taken is credited, whatever was believed before.
    ///
    /// # Errors
    /// [`AppError::Database`]; [`AppError::Provider`] when the provider had to be asked and did not answer.
    async fn charge(&self, intent: &Intent) -> Result<Heard, AppError>;

    /// A refund as the provider shows it, ours or one that was made on the provider's own pages.
    ///
    /// # Errors
    /// As [`Self::charge`].
    async fn refund(&self, news: &RefundNews) -> Result<Heard, AppError>;

    /// More of this charge went back to its card than before, or less (a refund failed). Only a hint to look: the provider is asked how
    /// much it is now, so an old message does no harm.
    ///
    /// # Errors
    /// As [`Self::charge`].
    async fn charge_refunded(&self, intent: &str) -> Result<Heard, AppError>;

    /// A dispute as the provider shows it.
    ///
    /// # Errors
    /// As [`Self::charge`].
    async fn dispute(&self, news: &DisputeNews) -> Result<Heard, AppError>;
}

/// What became of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It changed something.
    Booked,
    /// It was known, or says nothing new.
    Known,
    /// It is about a charge that we did not make, or do not know (yet).
    NotOurs,
}

/// A refund as the provider tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundNews {
    /// `re_…`
    pub id: String,
    /// Ours, from its metadata; `None` for one made elsewhere.
    pub refund: Option<RefundId>,
    /// `pi_…` that it gives back.
    pub intent: String,
    /// Where it stands; a canceled one is failed.
    pub status: RefundStatus,
    /// How much.
    pub amount: Money,
}

/// A dispute as the provider tells of it. A mere inquiry, for which no money was taken, is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeNews {
    /// `dp_…`
    pub id: String,
    /// `pi_…` that is disputed.
    pub intent: String,
    /// Ours, where the provider says so.
    pub payment: Option<PaymentId>,
    /// Where it stands.
    pub state: DisputeState,
    /// How much.
    pub amount: Money,
}

#[async_trait::async_trait]
impl ProviderNews for Payments {
    async fn charge(&self, intent: &Intent) -> Result<Heard, AppError> {
        let heard = self.settle(intent).await?;
        if heard == Heard::Booked && intent.refunded.is_positive() {
            self.look_at_refunds(&intent.id).await?;
        }
        Ok(heard)
    }

    async fn refund(&self, news: &RefundNews) -> Result<Heard, AppError> {
        self.settle_refund(news).await
    }

    async fn charge_refunded(&self, intent: &str) -> Result<Heard, AppError> {
        self.look_at_refunds(intent).await
    }

    async fn dispute(&self, news: &DisputeNews) -> Result<Heard, AppError> {
        self.settle_dispute(news).await
    }
}
