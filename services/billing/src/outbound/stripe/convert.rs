//! Stripe's objects as ours.

use leadflow_kernel::{Id, Kind, Money};
use stripe::ApiErrors;
use stripe_core::{Dispute, DisputeStatus as TheirDispute, PaymentIntent, PaymentIntentStatus, Refund};
use stripe_payment::PaymentMethod;
use stripe_types::Expandable;

use super::{amounts::from_minor, errors::decline_code};
use crate::outbound::{
    provider::{Decline, Intent, IntentStatus, ProviderCard, ProviderError, ProviderRefund, RefundStatus},
    records::{DisputeStatus, FoundRefund, HeldCard, ProviderDispute},
};

/// Metadata on the provider's side: our payment.
pub(super) const PAYMENT: &str = "payment_id";
/// Our refund.
pub(super) const REFUND: &str = "refund_id";
/// Whose.
pub(super) const BUYER: &str = "buyer_id";
/// The tenant.
pub(super) const SELLER: &str = "seller_id";

/// An id of ours in metadata. What somebody else wrote there is none.
pub(super) fn ours<K: Kind>(text: Option<&String>) -> Option<Id<K>> {
    text?.parse().ok()
}

/// `refunded` is what went back of its charge.
pub(super) fn intent(from: &PaymentIntent, refunded: i64) -> Result<Intent, ProviderError> {
    let status = match &from.status {
        PaymentIntentStatus::Succeeded => IntentStatus::Succeeded,
        PaymentIntentStatus::RequiresAction => IntentStatus::RequiresAction,
        PaymentIntentStatus::Canceled => IntentStatus::Canceled,
        PaymentIntentStatus::RequiresPaymentMethod => IntentStatus::Declined(Decline {
            code: from.last_payment_error.as_deref().map_or_else(|| "card_declined".to_owned(), decline_code),
        }),
        // We confirm and capture at once, so all others pass.
        _ => IntentStatus::Processing,
    };
    let succeeded = status == IntentStatus::Succeeded;
    let amount = if succeeded { from.amount_received } else { from.amount };
    Ok(Intent {
        id: from.id.to_string(),
        payment: ours(from.metadata.get(PAYMENT)),
        amount: from_minor(amount, &from.currency)?,
        charge: from.latest_charge.as_ref().map(|charge| charge.id().to_string()),
        client_secret: if status == IntentStatus::RequiresAction { from.client_secret.clone() } else { None },
        refunded: from_minor(refunded, &from.currency)?,
        status,
    })
}

/// The intent of a card's refusal, if the error carries it.
pub(super) fn declined(error: &ApiErrors) -> Option<Result<Intent, ProviderError>> {
    let from = error.payment_intent.as_ref()?;
    Some(intent(from, 0).map(|mut intent| {
        if matches!(intent.status, IntentStatus::Declined(_) | IntentStatus::Processing) {
            intent.status = IntentStatus::Declined(Decline { code: decline_code(error) });
        }
        intent
    }))
}

/// `None` when it is no card.
pub(super) fn card(from: &PaymentMethod) -> Option<HeldCard> {
    let card = from.card.as_ref()?;
    Some(HeldCard {
        card: ProviderCard {
            payment_method: from.id.to_string(),
            brand: card.brand.clone(),
            last4: card.last4.clone(),
            exp_month: u32::try_from(card.exp_month).ok()?,
            exp_year: u32::try_from(card.exp_year).ok()?,
        },
        customer: from.customer.as_ref().map(|customer| customer.id().to_string()),
    })
}

pub(super) fn refund(from: &Refund) -> Result<ProviderRefund, ProviderError> {
    let status = match from.status.as_deref() {
        Some("succeeded") => RefundStatus::Succeeded,
        Some("failed" | "canceled") => RefundStatus::Failed,
        _ => RefundStatus::Pending,
    };
    Ok(ProviderRefund { id: from.id.to_string(), status, amount: from_minor(from.amount, &from.currency)? })
}

pub(super) fn found_refund(from: &Refund) -> Result<FoundRefund, ProviderError> {
    let metadata = from.metadata.as_ref();
    Ok(FoundRefund {
        refund: refund(from)?,
        ours: ours(metadata.and_then(|metadata| metadata.get(REFUND))),
        payment: ours(metadata.and_then(|metadata| metadata.get(PAYMENT))),
        intent: from.payment_intent.as_ref().map(|intent| intent.id().to_string()),
    })
}

pub(super) fn dispute(from: &Dispute) -> Result<ProviderDispute, ProviderError> {
    let status = match &from.status {
        TheirDispute::Won => DisputeStatus::Won,
        TheirDispute::Lost => DisputeStatus::Lost,
        // One that was prevented ended as a refund, which is told of as such.
        TheirDispute::WarningNeedsResponse
        | TheirDispute::WarningUnderReview
        | TheirDispute::WarningClosed
        | TheirDispute::Prevented => DisputeStatus::Inquiry,
        // What Stripe may add is open until it says that it is closed.
        _ => DisputeStatus::Open,
    };
    let amount = from_minor(from.amount, &from.currency)?;
    Ok(ProviderDispute {
        id: from.id.to_string(),
        intent: from.payment_intent.as_ref().map(|intent| intent.id().to_string()),
        charge: from.charge.id().to_string(),
        amount,
        status,
    })
}

pub(super) fn negative(amount: Money) -> Result<Money, ProviderError> {
    let zero = Money::zero(amount.currency());
    zero.try_sub(amount).map_err(|error| ProviderError::Unknown(error.to_string()))
}

/// What went back of an intent's charge, if the answer carries it.
pub(super) fn refunded(from: &PaymentIntent) -> Option<i64> {
    match &from.latest_charge {
        Some(Expandable::Object(charge)) => Some(charge.amount_refunded),
        Some(Expandable::Id(_)) if from.status == PaymentIntentStatus::Succeeded => None,
        _ => Some(0),
    }
}
