//! From the services' events to what the feed tells, and who may hear it.

use leadflow_contracts::{
    ConvertError, Event as _,
    common::{Decision, Outcome},
    events::{self as told, PaymentNews},
    id,
};
use leadflow_kernel::{BuyerId, SellerId, SupplierId};
use leadflow_messaging::Message;

use super::event::Happening;
use crate::http::{Dollars, Time, decline};

/// Subjects that tell something.
pub(super) const SUBJECTS: [&str; 11] = [
    "lead.>",
    "wallet.credited",
    "wallet.low_balance",
    "wallet.limits_changed",
    "payment.>",
    "notification.>",
    "category.changed.*",
    "campaign.changed.*",
    "subscription.changed.*",
    "buyer.changed.*",
    "supplier.changed.*",
];
/// An error in words may hold what a receiver answered; a list shows its beginning.
const MAX_ERROR: usize = 300;

/// Buyers who may hear of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buyers {
    Nobody,
    One(BuyerId),
    All,
}

/// Who may hear of something; the tenant's own people always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) buyers: Buyers,
    pub(super) supplier: Option<SupplierId>,
}

impl Reach {
    const SELLER: Self = Self { buyers: Buyers::Nobody, supplier: None };
    const ALL_BUYERS: Self = Self { buyers: Buyers::All, ..Self::SELLER };

    fn supplier(text: &str) -> Result<Self, Unreadable> {
        Ok(Self { supplier: Some(id(text, "supplier_id")?), ..Self::SELLER })
    }

    fn buyer(text: &str) -> Result<Self, Unreadable> {
        Ok(Self { buyers: Buyers::One(id(text, "buyer_id")?), ..Self::SELLER })
    }
}

/// An event that is not what its contract says.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Decode(#[from] prost::DecodeError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

/// What an event tells a tenant.
pub(super) type Told = (SellerId, Vec<(Reach, Happening)>);

/// Reads an event; `None` when it is of no interest to people.
pub(super) fn read(message: &Message) -> Result<Option<Told>, Unreadable> {
    Ok(Some(match message.kind.as_str() {
        told::LeadReceived::TYPE => lead_received(message.decode()?)?,
        told::LeadAssigned::TYPE => lead_assigned(message.decode()?)?,
        told::LeadDecided::TYPE => lead_decided(message.decode()?)?,
        told::LeadReturned::TYPE => lead_returned(message.decode()?)?,
        told::DeliveryEnded::TYPE => delivery_ended(message.decode()?)?,
        told::MessageEnded::TYPE => match message_ended(message.decode()?)? {
            Some(told) => told,
            None => return Ok(None),
        },
        told::EndpointDisabled::TYPE => {
            let event: told::EndpointDisabled = message.decode()?;
            let reach = Reach::buyer(&event.buyer_id)?;
            let happening = Happening::WebhookDisabled { buyer_id: event.buyer_id, reason: short(event.reason) };
            one(&event.seller_id, reach, happening)?
        }
        told::WalletCredited::TYPE => {
            let event: told::WalletCredited = message.decode()?;
            let reach = Reach::buyer(&event.buyer_id)?;
            let (amount, available) = (Dollars::of(event.amount.as_ref()), Dollars::of(event.available.as_ref()));
            one(&event.seller_id, reach, Happening::WalletCredited { buyer_id: event.buyer_id, amount, available })?
        }
        told::WalletLowBalance::TYPE => {
            let event: told::WalletLowBalance = message.decode()?;
            let reach = Reach::buyer(&event.buyer_id)?;
            let (available, threshold) = (Dollars::of(event.available.as_ref()), Dollars::of(event.threshold.as_ref()));
            let happening = Happening::WalletLowBalance { buyer_id: event.buyer_id, available, threshold };
            one(&event.seller_id, reach, happening)?
        }
        told::WalletLimitsChanged::TYPE => {
            let event: told::WalletLimitsChanged = message.decode()?;
            let reach = Reach::buyer(&event.buyer_id)?;
            one(&event.seller_id, reach, Happening::WalletLimitsChanged { buyer_id: event.buyer_id })?
        }
        told::PaymentChanged::TYPE => payment_changed(message.decode()?)?,
        told::RechargeTurnedOff::TYPE => {
            let event: told::RechargeTurnedOff = message.decode()?;
            let reach = Reach::buyer(&event.buyer_id)?;
            let happening = Happening::RechargeTurnedOff { buyer_id: event.buyer_id, because: short(event.because) };
            one(&event.seller_id, reach, happening)?
        }
        told::PaymentRefunded::TYPE => {
            let told::PaymentRefunded { payment_id, buyer_id, seller_id, amount } = message.decode()?;
            let (reach, amount) = (Reach::buyer(&buyer_id)?, Dollars::of(amount.as_ref()));
            one(&seller_id, reach, Happening::PaymentRefunded { payment_id, buyer_id, amount })?
        }
        told::DisputeChanged::TYPE => dispute_changed(message.decode()?)?,
        told::CategoryChanged::TYPE => {
            let event: told::CategoryChanged = message.decode()?;
            let happening = Happening::CategoryChanged { category_id: event.category_id };
            one(&event.seller_id, Reach::ALL_BUYERS, happening)?
        }
        told::CampaignChanged::TYPE => {
            let event: told::CampaignChanged = message.decode()?;
            let (campaign_id, category_id) = (event.campaign_id, event.category_id);
            one(&event.seller_id, Reach::ALL_BUYERS, Happening::CampaignChanged { campaign_id, category_id })?
        }
        told::SubscriptionChanged::TYPE => {
            let told::SubscriptionChanged { subscription_id, campaign_id, buyer_id, seller_id, .. } =
                message.decode()?;
            let reach = Reach::buyer(&buyer_id)?;
            one(&seller_id, reach, Happening::SubscriptionChanged { subscription_id, campaign_id, buyer_id })?
        }
        told::BuyerChanged::TYPE => {
            let event: told::BuyerChanged = message.decode()?;
            let reach = Reach::buyer(&event.buyer_id)?;
            one(&event.seller_id, reach, Happening::BuyerChanged { buyer_id: event.buyer_id })?
        }
        told::SupplierChanged::TYPE => {
            let event: told::SupplierChanged = message.decode()?;
            let reach = Reach::supplier(&event.supplier_id)?;
            one(&event.seller_id, reach, Happening::SupplierChanged { supplier_id: event.supplier_id })?
        }
        _ => return Ok(None),
    }))
}

fn one(seller_id: &str, reach: Reach, happening: Happening) -> Result<Told, Unreadable> {
    Ok((id(seller_id, "seller_id")?, vec![(reach, happening)]))
}

fn lead_received(event: told::LeadReceived) -> Result<Told, Unreadable> {
    let reach = Reach::supplier(&event.supplier_id)?;
    let happening = Happening::LeadReceived {
        lead_id: event.lead_id,
        campaign_id: event.campaign_id,
        category_id: event.category_id,
        supplier_id: event.supplier_id,
        state: event.state,
        quality: event.quality,
        test: event.test,
        at: Time::from_ms(event.received_at_ms),
    };
    one(&event.seller_id, reach, happening)
}

fn lead_assigned(event: told::LeadAssigned) -> Result<Told, Unreadable> {
    let at = || Time::from_ms(event.assigned_at_ms);
    let decided = Happening::LeadDecided {
        lead_id: event.lead_id.clone(),
        campaign_id: event.campaign_id.clone(),
        supplier_id: event.supplier_id.clone(),
        outcome: "DISTRIBUTED",
        reason: String::new(),
        buyers_assigned: u32::try_from(event.assignments.len()).unwrap_or(u32::MAX),
        price: Dollars::sum(event.assignments.iter().filter_map(|one| one.price.as_ref())),
        at: at(),
    };
    let mut list = vec![(Reach::supplier(&event.supplier_id)?, decided)];
    for assignment in &event.assignments {
        let happening = Happening::LeadAssigned {
            lead_id: event.lead_id.clone(),
            campaign_id: event.campaign_id.clone(),
            assignment_id: assignment.assignment_id.clone(),
            buyer_id: assignment.buyer_id.clone(),
            subscription_id: assignment.subscription_id.clone(),
            state: event.state.clone(),
            quality: event.quality.clone(),
            price: Dollars::of(assignment.price.as_ref()),
            at: at(),
        };
        list.push((Reach::buyer(&assignment.buyer_id)?, happening));
    }
    Ok((id(&event.seller_id, "seller_id")?, list))
}

fn lead_returned(event: told::LeadReturned) -> Result<Told, Unreadable> {
    let reach = Reach::buyer(&event.buyer_id)?;
    let happening = Happening::LeadReturned {
        return_id: event.return_id,
        assignment_id: event.assignment_id,
        lead_id: event.lead_id,
        campaign_id: event.campaign_id,
        buyer_id: event.buyer_id,
        reason: event.reason,
        price: Dollars::of(event.price.as_ref()),
        at: Time::from_ms(event.decided_at_ms),
    };
    one(&event.seller_id, reach, happening)
}

fn lead_decided(event: told::LeadDecided) -> Result<Told, Unreadable> {
    let reach = Reach::supplier(&event.supplier_id)?;
    let decision: Decision = event.decision.ok_or(ConvertError::Missing { field: "decision" })?;
    let happening = Happening::LeadDecided {
        campaign_id: event.campaign_id,
        supplier_id: event.supplier_id,
        outcome: outcome(decision.outcome()),
        buyers_assigned: decision.buyers_assigned,
        price: Dollars::known(decision.price.as_ref()),
        at: Time::from_ms(event.decided_at_ms),
        lead_id: decision.lead_id,
        reason: decision.reason,
    };
    one(&event.seller_id, reach, happening)
}

fn payment_changed(event: told::PaymentChanged) -> Result<Told, Unreadable> {
    let (reach, amount, news) = (Reach::buyer(&event.buyer_id)?, Dollars::of(event.amount.as_ref()), event.news());
    let told::PaymentChanged { payment_id, buyer_id, seller_id, recharge, .. } = event;
    let happening = match news {
        PaymentNews::Succeeded => Happening::PaymentSucceeded { payment_id, buyer_id, amount, recharge },
        PaymentNews::ActionNeeded => Happening::PaymentActionNeeded { payment_id, buyer_id, amount, recharge },
        PaymentNews::Declined | PaymentNews::Unspecified => Happening::PaymentDeclined {
            payment_id,
            buyer_id,
            amount,
            recharge,
            code: decline::told(&event.decline_code),
            reason: short(event.decline_message),
            next_attempt_at: Time::from_ms(event.next_attempt_at_ms),
        },
    };
    one(&seller_id, reach, happening)
}

fn dispute_changed(event: told::DisputeChanged) -> Result<Told, Unreadable> {
    let (reach, amount) = (Reach::buyer(&event.buyer_id)?, Dollars::of(event.amount.as_ref()));
    let told::DisputeChanged { dispute_id, payment_id, buyer_id, seller_id, closed, won, .. } = event;
    let happening = if closed {
        Happening::DisputeClosed { dispute_id, payment_id, buyer_id, amount, won }
    } else {
        Happening::DisputeOpened { dispute_id, payment_id, buyer_id, amount }
    };
    one(&seller_id, reach, happening)
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Distributed => "DISTRIBUTED",
        Outcome::Rejected | Outcome::Conflict => "REJECTED",
        Outcome::Expired => "EXPIRED",
        Outcome::Test => "TEST",
        Outcome::Unsold | Outcome::Pending | Outcome::Unspecified => "UNSOLD",
    }
}

fn delivery_ended(event: told::DeliveryEnded) -> Result<Told, Unreadable> {
    let reach = Reach::buyer(&event.buyer_id)?;
    let told::DeliveryEnded { delivery_id, assignment_id, lead_id, buyer_id, attempts, .. } = event;
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let (assignment_id, lead_id) = (some(assignment_id), some(lead_id));
    let at = Time::from_ms(event.ended_at_ms);
    let happening = if event.delivered {
        Happening::DeliverySucceeded { delivery_id, assignment_id, lead_id, buyer_id, attempts, at }
    } else {
        let error = short(event.error);
        Happening::DeliveryFailed { delivery_id, assignment_id, lead_id, buyer_id, attempts, error, at }
    };
    one(&event.seller_id, reach, happening)
}

/// `None` for a message to somebody who is no buyer: people's links are their own business.
fn message_ended(event: told::MessageEnded) -> Result<Option<Told>, Unreadable> {
    if event.buyer_id.is_empty() {
        return Ok(None);
    }
    let reach = Reach::buyer(&event.buyer_id)?;
    let told::MessageEnded { message_id, seller_id, buyer_id, channel, kind, status, error, lead_id, at_ms } = event;
    let (error, at) = (short(error), Time::from_ms(at_ms));
    let happening = Happening::MessageEnded { message_id, buyer_id, channel, kind, status, error, lead_id, at };
    one(&seller_id, reach, happening).map(Some)
}

fn short(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_ERROR));
    text
}
