//! What the feed tells. Ids, and what a list shows of a lead that is nobody's personal data.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Dollars, Time};

/// Something that happened. The same may be told twice, with the same `id:`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type")]
pub(crate) enum Happening {
    /// Listening has begun: what is loaded from now on is kept up to date by what follows.
    #[serde(rename = "ready")]
    Ready {},
    /// Something may have been missed: load again what is shown.
    #[serde(rename = "reload")]
    Reload {},
    /// A lead was posted. For the seller and its supplier.
    #[serde(rename = "lead.received", rename_all = "camelCase")]
    LeadReceived {
        lead_id: String,
        campaign_id: String,
        category_id: String,
        supplier_id: String,
        /// USPS code, or empty.
        state: String,
        /// `HOT`, `WARM`, `COLD` or empty.
        quality: String,
        test: bool,
        at: Option<Time>,
    },
    /// What became of a lead. For the seller and its supplier.
    #[serde(rename = "lead.decided", rename_all = "camelCase")]
    LeadDecided {
        lead_id: String,
        campaign_id: String,
        supplier_id: String,
        /// `DISTRIBUTED`, `UNSOLD`, `REJECTED`, `EXPIRED` or `TEST`.
        outcome: &'static str,
        /// Why, `snake_case`; empty for a lead that was sold.
        reason: String,
        buyers_assigned: u32,
        /// What all buyers pay together.
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Dollars>,
        at: Option<Time>,
    },
    /// A buyer got a lead. For the seller and that buyer.
    #[serde(rename = "lead.assigned", rename_all = "camelCase")]
    LeadAssigned {
        lead_id: String,
        campaign_id: String,
        assignment_id: String,
        buyer_id: String,
        subscription_id: String,
        state: String,
        quality: String,
        price: Dollars,
        at: Option<Time>,
    },
    /// A sale was undone. For the seller and that buyer.
    #[serde(rename = "lead.returned", rename_all = "camelCase")]
    LeadReturned {
        return_id: String,
        assignment_id: String,
        lead_id: String,
        campaign_id: String,
        buyer_id: String,
        /// One of the campaign's.
        reason: String,
        price: Dollars,
        at: Option<Time>,
    },
    /// A buyer's system took a lead. For the seller and that buyer.
    #[serde(rename = "delivery.succeeded", rename_all = "camelCase")]
    DeliverySucceeded {
        delivery_id: String,
        assignment_id: Option<String>,
        /// Null: it told of no lead.
        lead_id: Option<String>,
        buyer_id: String,
        attempts: u32,
        at: Option<Time>,
    },
    /// A buyer's system did not take a lead, and it will not be tried again. For the seller and that buyer.
    #[serde(rename = "delivery.failed", rename_all = "camelCase")]
    DeliveryFailed {
        delivery_id: String,
        assignment_id: Option<String>,
        /// Null: it told of no lead.
        lead_id: Option<String>,
        buyer_id: String,
        attempts: u32,
        /// In words.
        error: String,
        at: Option<Time>,
    },
    /// An e-mail or a text message to a buyer was sent, or will not be. For the seller and that buyer.
    #[serde(rename = "message.ended", rename_all = "camelCase")]
    MessageEnded {
        message_id: String,
        buyer_id: String,
        /// `EMAIL` or `SMS`.
        channel: String,
        /// `LEAD_ASSIGNED`, `LOW_BALANCE` and so on.
        kind: String,
        /// `SENT`, `DELIVERED`, `BOUNCED`, `REFUSED`, `EXPIRED` or `SUPPRESSED`.
        status: String,
        /// In words; empty when all is well.
        error: String,
        /// Empty when it is about no lead.
        lead_id: String,
        at: Option<Time>,
    },
    /// A buyer's webhook was switched off, having failed for days. For the seller and that buyer.
    #[serde(rename = "webhook.disabled", rename_all = "camelCase")]
    WebhookDisabled {
        buyer_id: String,
        /// In words.
        reason: String,
    },
    /// Money was added to a buyer's wallet. For the seller and that buyer.
    #[serde(rename = "wallet.credited", rename_all = "camelCase")]
    WalletCredited { buyer_id: String, amount: Dollars, available: Dollars },
    /// A buyer's wallet fell below its threshold. For the seller and that buyer.
    #[serde(rename = "wallet.low_balance", rename_all = "camelCase")]
    WalletLowBalance { buyer_id: String, available: Dollars, threshold: Dollars },
    /// A buyer's spending limits changed, or whether his wallet may buy. For the seller and that buyer.
    #[serde(rename = "wallet.limits_changed", rename_all = "camelCase")]
    WalletLimitsChanged { buyer_id: String },
    /// A card was charged. For the seller and its buyer, as all of payments.
    #[serde(rename = "payment.succeeded", rename_all = "camelCase")]
    PaymentSucceeded {
        payment_id: String,
        buyer_id: String,
        amount: Dollars,
        /// By automatic recharging, not by the buyer.
        recharge: bool,
    },
    /// A card's charge was declined.
    #[serde(rename = "payment.declined", rename_all = "camelCase")]
    PaymentDeclined {
        payment_id: String,
        buyer_id: String,
        amount: Dollars,
        recharge: bool,
        /// `insufficient_funds`, `card_declined` and so on.
        code: &'static str,
        /// In words.
        reason: String,
        /// When a recharge is tried again; null for never.
        next_attempt_at: Option<Time>,
    },
    /// The buyer has to confirm a charge: `GET /api/payments/{id}` has the secret.
    #[serde(rename = "payment.action_needed", rename_all = "camelCase")]
    PaymentActionNeeded { payment_id: String, buyer_id: String, amount: Dollars, recharge: bool },
    /// Automatic recharging was turned off by the program.
    #[serde(rename = "payment.recharge_turned_off", rename_all = "camelCase")]
    RechargeTurnedOff {
        buyer_id: String,
        /// Why, in words.
        because: String,
    },
    /// Money went back to a card.
    #[serde(rename = "payment.refunded", rename_all = "camelCase")]
    PaymentRefunded { payment_id: String, buyer_id: String, amount: Dollars },
    /// A card's owner disputes a charge.
    #[serde(rename = "payment.dispute_opened", rename_all = "camelCase")]
    DisputeOpened { dispute_id: String, payment_id: String, buyer_id: String, amount: Dollars },
    /// A dispute was decided.
    #[serde(rename = "payment.dispute_closed", rename_all = "camelCase")]
    DisputeClosed {
        dispute_id: String,
        payment_id: String,
        buyer_id: String,
        amount: Dollars,
        /// In the seller's favour: the money is there again.
        won: bool,
    },
    /// A category was made or changed. For the seller and all buyers.
    #[serde(rename = "category.changed", rename_all = "camelCase")]
    CategoryChanged { category_id: String },
    /// A campaign was made or changed. For the seller and all buyers.
    #[serde(rename = "campaign.changed", rename_all = "camelCase")]
    CampaignChanged { campaign_id: String, category_id: String },
    /// A subscription was made or changed. For the seller and its buyer.
    #[serde(rename = "subscription.changed", rename_all = "camelCase")]
    SubscriptionChanged { subscription_id: String, campaign_id: String, buyer_id: String },
    /// A buyer was made or changed. For the seller and that buyer.
    #[serde(rename = "buyer.changed", rename_all = "camelCase")]
    BuyerChanged { buyer_id: String },
    /// A supplier was made or changed. For the seller and that supplier.
    #[serde(rename = "supplier.changed", rename_all = "camelCase")]
    SupplierChanged { supplier_id: String },
}

impl Happening {
    /// As in `event:` and in `type`.
    #[must_use]
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Ready {} => "ready",
            Self::Reload {} => "reload",
            Self::LeadReceived { .. } => "lead.received",
            Self::LeadDecided { .. } => "lead.decided",
            Self::LeadAssigned { .. } => "lead.assigned",
            Self::LeadReturned { .. } => "lead.returned",
            Self::DeliverySucceeded { .. } => "delivery.succeeded",
            Self::DeliveryFailed { .. } => "delivery.failed",
            Self::MessageEnded { .. } => "message.ended",
            Self::WebhookDisabled { .. } => "webhook.disabled",
            Self::WalletCredited { .. } => "wallet.credited",
            Self::WalletLowBalance { .. } => "wallet.low_balance",
            Self::WalletLimitsChanged { .. } => "wallet.limits_changed",
            Self::PaymentSucceeded { .. } => "payment.succeeded",
            Self::PaymentDeclined { .. } => "payment.declined",
            Self::PaymentActionNeeded { .. } => "payment.action_needed",
            Self::RechargeTurnedOff { .. } => "payment.recharge_turned_off",
            Self::PaymentRefunded { .. } => "payment.refunded",
            Self::DisputeOpened { .. } => "payment.dispute_opened",
            Self::DisputeClosed { .. } => "payment.dispute_closed",
            Self::CategoryChanged { .. } => "category.changed",
            Self::CampaignChanged { .. } => "campaign.changed",
            Self::SubscriptionChanged { .. } => "subscription.changed",
            Self::BuyerChanged { .. } => "buyer.changed",
            Self::SupplierChanged { .. } => "supplier.changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_called_in_its_data_what_it_is_called_outside() {
        for happening in [
            Happening::Ready {},
            Happening::Reload {},
            Happening::BuyerChanged { buyer_id: "b".to_owned() },
            Happening::WalletLowBalance {
                buyer_id: "b".to_owned(),
                available: Dollars::zero(),
                threshold: Dollars::zero(),
            },
        ] {
            let json = serde_json::to_value(&happening).unwrap();
            assert_eq!(json["type"], happening.name(), "{json}");
        }
    }
}
