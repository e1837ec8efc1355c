//! Leads that are sold, or are so no more, become deliveries and messages.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, DeliveryId, EndpointId, LeadId, Money, ReturnId, SellerId};
use leadflow_messaging::consumer::HandleError;
use leadflow_notifier_domain::{
    Channel, EventKind, LeadAssigned, LeadNews, LeadReturned, MessageKind, News, PayloadError, amount, payload,
    payload_of_return, person, readable_fields,
};
use serde_json::{Map, Value};

use super::{Notifier, accept_news::Telling, occasions::Occasion};
use crate::{
    model::SaleKey,
    outbound::dispatcher::Dispatcher,
    store::{
        messages::{self, NewMessage},
        wishes,
    },
};

/// One lead sold to one buyer.
#[derive(Debug, Clone)]
pub struct Sale {
    /// The event's trace.
    pub traceparent: Option<String>,
    /// The tenant.
    pub seller: SellerId,
    /// Who bought.
    pub buyer: BuyerId,
    /// What.
    pub lead: LeadId,
    /// The sale.
    pub assignment: AssignmentId,
    /// Under what it was sold.
    pub campaign: CampaignId,
    /// The campaign's name.
    pub campaign_name: Arc<str>,
    /// The category's name.
    pub category_name: Arc<str>,
    /// USPS code, or empty.
    pub state: Arc<str>,
    /// As the supplier says.
    pub quality: Arc<str>,
    /// What the buyer paid.
    pub price: Money,
    /// When the lead was received.
    pub received_at: DateTime<Utc>,
    /// When it was sold.
    pub assigned_at: DateTime<Utc>,
    /// The lead's fields, a JSON object.
    pub data_json: Bytes,
}

/// A sale that was undone.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The event's trace.
    pub traceparent: Option<String>,
    /// The tenant.
    pub seller: SellerId,
    /// Who had bought.
    pub buyer: BuyerId,
    /// What.
    pub lead: LeadId,
    /// The sale.
    pub assignment: AssignmentId,
    /// The return.
    pub undone: ReturnId,
    /// Under what it was sold.
    pub campaign: CampaignId,
    /// The campaign's name.
    pub campaign_name: Arc<str>,
    /// What he gets back.
    pub price: Money,
    /// Why.
    pub reason: Arc<str>,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
}

fn delivery_of_sale(assignment: AssignmentId, endpoint: EndpointId) -> DeliveryId {
    DeliveryId::derive(&[assignment.as_bytes(), endpoint.as_bytes()])
}

fn delivery_of_return(assignment: AssignmentId, endpoint: EndpointId) -> DeliveryId {
    DeliveryId::derive(&[b"returned", assignment.as_bytes(), endpoint.as_bytes()])
}

/// Whatever an endpoint may have been sent about a sale.
pub(super) fn deliveries_of(assignment: AssignmentId, endpoint: EndpointId) -> [DeliveryId; 2] {
    [delivery_of_sale(assignment, endpoint), delivery_of_return(assignment, endpoint)]
}

impl Occasion for Sale {
    const EVENT: EventKind = EventKind::LeadAssigned;

    fn whose(&self) -> (SellerId, BuyerId) {
        (self.seller, self.buyer)
    }
    fn sale(&self) -> Option<SaleKey> {
        Some(SaleKey { lead: self.lead, assignment: self.assignment })
    }
    fn delivery(&self, endpoint: EndpointId) -> DeliveryId {
        delivery_of_sale(self.assignment, endpoint)
    }
    fn traceparent(&self) -> Option<&String> {
        self.traceparent.as_ref()
    }
    fn received_at(&self) -> Option<DateTime<Utc>> {
        Some(self.received_at)
    }
    fn body(&self, _: DateTime<Utc>) -> Result<Vec<u8>, PayloadError> {
        payload(&LeadAssigned {
            lead: self.lead,
            buyer: self.buyer,
            assignment: self.assignment,
            campaign: self.campaign,
            campaign_name: &self.campaign_name,
            category_name: &self.category_name,
            state: &self.state,
            quality: &self.quality,
            price: self.price,
            assigned_at: self.assigned_at,
            data_json: &self.data_json,
        })
    }
}

impl Occasion for Undone {
    const EVENT: EventKind = EventKind::LeadReturned;

    fn whose(&self) -> (SellerId, BuyerId) {
        (self.seller, self.buyer)
    }
    fn sale(&self) -> Option<SaleKey> {
        Some(SaleKey { lead: self.lead, assignment: self.assignment })
    }
    fn delivery(&self, endpoint: EndpointId) -> DeliveryId {
        delivery_of_return(self.assignment, endpoint)
    }
    fn traceparent(&self) -> Option<&String> {
        self.traceparent.as_ref()
    }
    fn body(&self, _: DateTime<Utc>) -> Result<Vec<u8>, PayloadError> {
        payload_of_return(&LeadReturned {
            undone: self.undone,
            lead: self.lead,
            buyer: self.buyer,
            assignment: self.assignment,
            campaign: self.campaign,
            campaign_name: &self.campaign_name,
            price: self.price,
            reason: &self.reason,
            decided_at: self.decided_at,
        })
    }
}

impl Notifier {
    /// Stores the deliveries of `sales` and begins to send them.
    ///
    /// # Errors
    /// Transient for the database; permanent when a lead's data is no JSON object.
    pub async fn accept_leads(&self, sales: &[Sale], dispatcher: &Dispatcher) -> Result<(), HandleError> {
        let (now, mut connection) = (self.clock.now(), self.pool.acquire().await?);
        // Before the deliveries, and beside their transaction: both are known by their ids, and the event is told again until both are there.
        let messages = self.messages(&mut connection, sales, now).await?;
        if !messages.is_empty() {
            messages::insert(&mut connection, &messages, now).await?;
            self.wakes.email.notify_one();
            self.wakes.sms.notify_one();
        }
        drop(connection);
        self.accept(sales, dispatcher).await
    }

    /// Stores the deliveries that tell of `returns` and begins to send them.
    ///
    /// # Errors
    /// Transient for the database.
    pub async fn accept_returns(&self, returns: &[Undone], dispatcher: &Dispatcher) -> Result<(), HandleError> {
        self.accept(returns, dispatcher).await
    }

    /// Mails and text messages to those buyers who are reached and want them. One question, whatever the answer.
    async fn messages(
        &self,
        connection: &mut sqlx::PgConnection,
        sales: &[Sale],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewMessage>, HandleError> {
        let mut buyers: Vec<BuyerId> = sales.iter().map(|sale| sale.buyer).collect();
        buyers.sort_unstable();
        buyers.dedup();
        let reach = wishes::of_buyers(connection, &buyers).await?;
        let mut messages = Vec::new();
        for sale in sales {
            let Some(reach) = reach.get(&(sale.seller, sale.buyer)) else { continue };
            let wanted = |channel| {
                let there = if channel == Channel::Email { reach.email } else { reach.phone };
                there && reach.wishes.want(channel, MessageKind::LeadAssigned)
            };
            let channels: Vec<Channel> = Channel::ALL.into_iter().filter(|channel| wanted(*channel)).collect();
            if !channels.is_empty() {
                let telling = telling(sale)?;
                let received_at = Some(sale.received_at);
                let message = |channel| NewMessage { received_at, ..telling.message(channel, now) };
                messages.extend(channels.into_iter().map(message));
            }
        }
        Ok(messages)
    }
}

/// What the buyer is told of a sale.
fn telling(sale: &Sale) -> Result<Telling, HandleError> {
    let unreadable = |error| HandleError::permanent(PayloadError::from(&error));
    let data: Map<String, Value> = serde_json::from_slice(&sale.data_json).map_err(unreadable)?;
    let (first_name, last_name) = person(&data);
    let news = News::LeadAssigned(LeadNews {
        lead: sale.lead.to_string(),
        campaign: sale.campaign_name.to_string(),
        category: sale.category_name.to_string(),
        state: sale.state.to_string(),
        quality: sale.quality.to_string(),
        price: amount(sale.price),
        sold_at: sale.assigned_at,
        first_name,
        last_name,
        fields: readable_fields(&data),
    });
    Ok(Telling {
        source: sale.assignment.as_bytes().to_vec(),
        seller: sale.seller,
        buyer: sale.buyer,
        lead: Some(sale.lead),
        news,
        traceparent: sale.traceparent.clone(),
    })
}
