//! What a decision comes to: the words of the contract, the sales, the events.

use chrono::{DateTime, Utc};
use leadflow_contracts::{
    common::{Decision, Outcome},
    events, money_to_proto, time_to_ms,
};
use leadflow_distribution_domain::{LeadResult, Status};
use leadflow_kernel::{CampaignId, EventId, LeadId, Money, SellerId, SupplierId};
use leadflow_messaging::Envelope;
use rust_decimal::Decimal;

use super::{AppError, hold_rounds::assignment};
use crate::store::{
    decisions::Configuration,
    leads::{Sale, Verdict},
};

/// Nobody can have the lead now.
pub const NO_ELIGIBLE_BUYER: &str = "no_eligible_buyer";
/// The rule that a lead must not repeat another.
pub const DUPLICATE: &str = "duplicate";
pub use crate::store::leads::CAMPAIGN_UNKNOWN;

/// Why a campaign takes no leads at the moment; `None` when it does.
pub fn closed(configuration: &Configuration) -> Option<&'static str> {
    if configuration.seller_status != Status::Active {
        return Some("seller_inactive");
    }
    if configuration.status != Status::Active {
        return Some("campaign_inactive");
    }
    (configuration.category_status != Status::Active).then_some("category_inactive")
}

/// The sales of a lead.
pub fn sales(configuration: &Configuration, lead: LeadId, result: &LeadResult) -> Vec<Sale> {
    let LeadResult::Sold(picks) = result else { return Vec::new() };
    picks
        .iter()
        .map(|&pick| {
            let candidate = &configuration.candidates[pick];
            Sale {
                id: assignment(lead, candidate.subscription),
                lead,
                buyer: candidate.buyer,
                subscription: candidate.subscription,
                campaign: configuration.id,
                seller: configuration.seller,
                price: configuration.rules.price,
            }
        })
        .collect()
}

/// What `count` buyers pay together.
///
/// # Errors
/// When it is more than money can say.
pub fn total(price: Money, count: usize) -> Result<Money, AppError> {
    let count = Decimal::from(u32::try_from(count).unwrap_or(u32::MAX));
    price
        .amount()
        .checked_mul(count)
        .and_then(|amount| Money::new(amount, price.currency()).ok())
        .ok_or_else(|| AppError::Internal("the price of all sales together is too large".to_owned()))
}

/// The answer to a supplier.
pub fn decision(verdict: &Verdict) -> Decision {
    Decision {
        lead_id: verdict.lead.to_string(),
        outcome: verdict.outcome.into(),
        reason: verdict.reason.clone(),
        buyers_assigned: verdict.buyers_assigned,
        price: verdict.price.map(money_to_proto),
        test: verdict.test,
        reference: verdict.reference.clone(),
    }
}

/// The answer to a post whose id is known with another body: nothing of the stored lead is told.
pub fn conflict(lead: LeadId) -> Decision {
    Decision { lead_id: lead.to_string(), outcome: Outcome::Conflict.into(), ..Decision::default() }
}

/// What `lead.assigned` needs to know of a lead.
#[derive(Debug, Clone, Copy)]
pub struct Assigned<'a> {
    /// The lead.
    pub lead: LeadId,
    /// Who posted it.
    pub supplier: SupplierId,
    /// USPS code, or empty.
    pub state: &'a str,
    /// HOT, WARM, COLD or empty.
    pub quality: &'a str,
    /// JSON object.
    pub data: &'a str,
    /// When the gateway took it.
    pub received_at: DateTime<Utc>,
    /// W3C trace context of the request.
    pub traceparent: Option<&'a str>,
}

/// Sales in one event: one with all of a broadcast to very many would be too large a message.
const SALES_AN_EVENT: usize = 1_000;

/// `lead.assigned`, mostly one. The first of its sales makes an event's id: a lead that a buyer's system refuses is sold again, and that is
/// another event, which the stream must not take for a repeat of the first.
pub fn assigned_events(
    configuration: &Configuration,
    lead: Assigned<'_>,
    sales: &[Sale],
    now: DateTime<Utc>,
) -> Vec<Envelope> {
    sales
        .chunks(SALES_AN_EVENT)
        .filter_map(|sales| {
            let event = assigned(configuration, lead, sales, now);
            let id = EventId::derive(&[b"lead.assigned", lead.lead.as_bytes(), sales.first()?.id.as_bytes()]);
            Some(Envelope::new(id, &event, now).caused_by(lead.traceparent))
        })
        .collect()
}

fn assigned(
    configuration: &Configuration,
    lead: Assigned<'_>,
    sales: &[Sale],
    now: DateTime<Utc>,
) -> events::LeadAssigned {
    events::LeadAssigned {
        lead_id: lead.lead.to_string(),
        seller_id: configuration.seller.to_string(),
        supplier_id: lead.supplier.to_string(),
        campaign_id: configuration.id.to_string(),
        campaign_name: configuration.name.clone(),
        category_id: configuration.category.to_string(),
        category_name: configuration.category_name.clone(),
        state: lead.state.to_owned(),
        quality: lead.quality.to_owned(),
        data_json: lead.data.to_owned().into(),
        assignments: sales
            .iter()
            .map(|sale| events::Assignment {
                assignment_id: sale.id.to_string(),
                buyer_id: sale.buyer.to_string(),
                subscription_id: sale.subscription.to_string(),
                price: Some(money_to_proto(sale.price)),
            })
            .collect(),
        received_at_ms: time_to_ms(lead.received_at),
        assigned_at_ms: time_to_ms(now),
    }
}

/// `lead.unsold`, `lead.rejected` or `lead.expired`: each happens to a lead once.
pub fn decided_event(
    seller: SellerId,
    campaign: CampaignId,
    verdict: &Verdict,
    now: DateTime<Utc>,
    traceparent: Option<&str>,
) -> Envelope {
    let event = events::LeadDecided {
        seller_id: seller.to_string(),
        supplier_id: verdict.supplier.to_string(),
        campaign_id: campaign.to_string(),
        decision: Some(decision(verdict)),
        decided_at_ms: time_to_ms(now),
    };
    let kind = i32::from(verdict.outcome).to_be_bytes();
    let id = EventId::derive(&[b"lead.decided", &kind, verdict.lead.as_bytes()]);
    Envelope::new(id, &event, now).caused_by(traceparent)
}
