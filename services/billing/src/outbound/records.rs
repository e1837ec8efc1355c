//! What the provider's webhooks are checked against: its records as they are now.
//!
//! A webhook may come late, twice, or after a newer one, so what it says is only a reason to look.

use leadflow_billing_domain::DisputeState;
use leadflow_kernel::{Money, PaymentId, RefundId};

use super::provider::{ProviderCard, ProviderError, ProviderRefund};

/// A provider's records.
#[async_trait::async_trait]
pub trait ProviderRecords: Send + Sync + 'static {
    /// A card and whose it is; `None` when there is no such card.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn card_now(&self, payment_method: &str) -> Result<Option<HeldCard>, ProviderError>;

    /// A refund; `None` when there is no such one.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn refund_now(&self, id: &str) -> Result<Option<FoundRefund>, ProviderError>;

    /// All refunds of a charge, ours and those that somebody made by hand, newest first.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn refunds_of(&self, intent: &str) -> Result<Vec<FoundRefund>, ProviderError>;

    /// A dispute; `None` when there is no such one.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn dispute_now(&self, id: &str) -> Result<Option<ProviderDispute>, ProviderError>;
}

/// A card and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCard {
    /// It.
    pub card: ProviderCard,
    /// `cus_…`; `None` when it is nobody's.
    pub customer: Option<String>,
}

/// A refund, and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRefund {
    /// It.
    pub refund: ProviderRefund,
    /// Ours, from its metadata; `None` when somebody made it by hand.
    pub ours: Option<RefundId>,
    /// Ours, from its metadata.
    pub payment: Option<PaymentId>,
    /// `pi_…`
    pub intent: Option<String>,
}

/// A card's owner takes a charge back through the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderDispute {
    /// `dp_…`
    pub id: String,
    /// `pi_…`
    pub intent: Option<String>,
    /// `ch_…`
    pub charge: String,
    /// What is disputed.
    pub amount: Money,
    /// Where it stands.
    pub status: DisputeStatus,
}

impl DisputeStatus {
    /// Where the money is; `None` when none has moved.
    #[must_use]
    pub const fn money(self) -> Option<DisputeState> {
        match self {
            Self::Inquiry => None,
            Self::Open => Some(DisputeState::Open),
            Self::Won => Some(DisputeState::Won),
            Self::Lost => Some(DisputeState::Lost),
        }
    }
}

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeStatus {
    /// Only an inquiry, open or closed: no money has moved.
    Inquiry,
    /// Open: the money is away.
    Open,
    /// Closed in our favour.
    Won,
    /// Closed against us.
    Lost,
}
