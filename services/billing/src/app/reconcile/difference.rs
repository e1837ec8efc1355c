//! What does not agree.

use chrono::{DateTime, Utc};
use leadflow_kernel::{Money, PaymentId};

use crate::{outbound::provider::Movement, store::reconcile::OurCharge};

/// What does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which way.
    pub kind: DifferenceKind,
    /// The provider's id; empty when there is none.
    pub provider_id: String,
    /// Ours.
    pub payment: Option<PaymentId>,
    /// What our books say.
    pub ours: Option<Money>,
    /// What the provider's books say.
    pub theirs: Option<Money>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// This comparison has booked what was missing.
    pub settled: bool,
}

/// In which way books do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A card paid, and the wallet has not got it.
    UncreditedCharge,
    /// A card paid, and we know of no such payment (or a card paid twice for one).
    UnknownCharge,
    /// A wallet got money that no card has paid.
    MissingCharge,
    /// A card paid another amount.
    AmountDiffers,
    /// More went back to a card than we know of.
    UnknownRefund,
    /// We believe that money went back, and none did.
    MissingRefund,
    /// Less went back to a card than we believe, or another refund did.
    RefundDiffers,
    /// A card's owner disputes a payment, and we have not heard of it. Amounts are what the dispute has taken by now.
    UnknownDispute,
    /// We believe that a payment is or was disputed, and it is not.
    MissingDispute,
    /// It was decided otherwise than we know, or is about another amount.
    DisputeDiffers,
}

impl DifferenceKind {
    /// As the contract says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UncreditedCharge => "uncredited_charge",
            Self::UnknownCharge => "unknown_charge",
            Self::MissingCharge => "missing_charge",
            Self::AmountDiffers => "amount_differs",
            Self::UnknownRefund => "unknown_refund",
            Self::MissingRefund => "missing_refund",
            Self::RefundDiffers => "refund_differs",
            Self::UnknownDispute => "unknown_dispute",
            Self::MissingDispute => "missing_dispute",
            Self::DisputeDiffers => "dispute_differs",
        }
    }
}

impl Difference {
    /// The provider's books show it, and ours do not.
    pub(super) fn theirs(kind: DifferenceKind, moved: &Movement) -> Self {
        Self {
            kind,
            provider_id: moved.source.clone(),
            payment: moved.payment,
            ours: None,
            theirs: Some(moved.amount),
            at: moved.at,
            settled: false,
        }
    }

    /// Our books show it.
    pub(super) fn ours(kind: DifferenceKind, ours: &OurCharge, amount: Money, theirs: Option<Money>) -> Self {
        Self {
            kind,
            provider_id: ours.intent.clone().unwrap_or_default(),
            payment: Some(ours.payment),
            ours: Some(amount),
            theirs,
            at: ours.at,
            settled: false,
        }
    }
}
