//! What happened becomes deliveries: one row for each sale (or each that was undone) and each of its buyer's endpoints that wants
//! to know, all of a batch in one statement. A sale told twice is one row, because its id follows from the sale. The first attempt then starts from memory, because the rows are born with a
//! lease; a crash before it ends leaves rows that come up again when the lease does.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, DeliveryId, LeadId, Money, ReturnId, SellerId};
use leadflow_messaging::{consumer::HandleError, outbox::Pending};
use leadflow_notifier_domain::{
    Channel, EventKind, LeadAssigned, LeadNews, LeadReturned, MessageKind, News, PayloadError, amount, payload,
    payload_of_return, person, readable_fields,
};
use serde_json::{Map, Value};
use sqlx::Acquire as _;
use uuid::Uuid;

use super::{Notifier, accept_news::Telling};
use crate::{
    model::{DeliveryKey, Endpoint, Job},
    outbound::{
        dispatcher::{Dispatcher, Slot},
        events,
    },
    store::{
        deliveries::{self, NewDelivery, Status},
        endpoints,
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

/// Something that an endpoint may be told of.
trait Occasion {
    const EVENT: EventKind;
    fn whose(&self) -> (SellerId, BuyerId);
    fn what(&self) -> (LeadId, AssignmentId);
    fn traceparent(&self) -> Option<&String>;
    fn body(&self) -> Result<Vec<u8>, PayloadError>;
}

impl Occasion for Sale {
    const EVENT: EventKind = EventKind::LeadAssigned;

    fn whose(&self) -> (SellerId, BuyerId) {
        (self.seller, self.buyer)
    }
    fn what(&self) -> (LeadId, AssignmentId) {
        (self.lead, self.assignment)
    }
    fn traceparent(&self) -> Option<&String> {
        self.traceparent.as_ref()
    }
    fn body(&self) -> Result<Vec<u8>, PayloadError> {
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
    fn what(&self) -> (LeadId, AssignmentId) {
        (self.lead, self.assignment)
    }
    fn traceparent(&self) -> Option<&String> {
        self.traceparent.as_ref()
    }
    fn body(&self) -> Result<Vec<u8>, PayloadError> {
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

    async fn accept<O: Occasion + Sync>(&self, occasions: &[O], dispatcher: &Dispatcher) -> Result<(), HandleError> {
        let now = self.clock.now();
        let mut buyers: Vec<_> = occasions.iter().map(Occasion::whose).collect();
        buyers.sort_unstable();
        buyers.dedup();
        let mut connection = self.pool.acquire().await?;
        let mut endpoints: HashMap<_, Vec<Arc<Endpoint>>> = HashMap::new();
        for endpoint in endpoints::of_buyers(&mut connection, &buyers).await? {
            if endpoint.events.contains(&O::EVENT) {
                endpoints.entry((endpoint.seller, endpoint.buyer)).or_default().push(Arc::new(endpoint));
            }
        }

        let lease = Uuid::now_v7();
        let mut planned = Vec::with_capacity(occasions.len());
        for occasion in occasions {
            // A buyer without a webhook is told in other ways.
            let Some(wanting) = endpoints.get(&occasion.whose()) else { continue };
            let body = Bytes::from(occasion.body().map_err(HandleError::permanent)?);
            for endpoint in wanting {
                planned.push(self.plan(occasion, &body, endpoint, dispatcher, lease, now));
            }
        }
        // In the order of their ids: two batches with the same sales cannot deadlock.
        planned.sort_unstable_by_key(|plan| plan.row.key.id);
        planned.dedup_by_key(|plan| plan.row.key.id);
        if planned.is_empty() {
            return Ok(());
        }
        let pending = self.store(&mut connection, &mut planned, now).await?;
        drop(connection);

        self.relay.send(pending);
        let mut left_behind = Vec::new();
        for plan in planned {
            match plan.send {
                Some((slot, job)) => dispatcher.submit(slot, job),
                None if plan.row.status == Status::Pending => left_behind.push(plan.row.endpoint),
                None => {}
            }
        }
        dispatcher.left_behind(&left_behind);
        Ok(())
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
                messages.extend(channels.into_iter().map(|channel| telling.message(channel, now)));
            }
        }
        Ok(messages)
    }

    /// Stores what is planned and keeps those that are new. Only what ends here has an event, and needs
    /// a transaction for it.
    async fn store(
        &self,
        connection: &mut sqlx::PgConnection,
        planned: &mut Vec<Plan>,
        now: DateTime<Utc>,
    ) -> Result<Pending, sqlx::Error> {
        let keep = |planned: &mut Vec<Plan>, stored: &HashSet<DeliveryId>| {
            planned.retain(|plan| stored.contains(&plan.row.key.id));
        };
        if planned.iter().all(|plan| plan.row.status == Status::Pending) {
            let stored = deliveries::insert(connection, planned.iter().map(|plan| &plan.row)).await?;
            keep(planned, &stored);
            return Ok(Pending::default());
        }
        let mut transaction = connection.begin().await?;
        let stored = deliveries::insert(&mut transaction, planned.iter().map(|plan| &plan.row)).await?;
        keep(planned, &stored);
        let given_up = planned.iter().filter(|plan| plan.row.status == Status::GaveUp).map(|plan| {
            let row = &plan.row;
            events::delivery_ended(&row.key, row.endpoint, (0, 0), Some(&row.error), now, row.traceparent.as_deref())
        });
        let pending = self.outbox.append(&mut transaction, given_up.collect()).await?;
        transaction.commit().await?;
        Ok(pending)
    }

    fn plan<O: Occasion>(
        &self,
        occasion: &O,
        body: &Bytes,
        endpoint: &Arc<Endpoint>,
        dispatcher: &Dispatcher,
        lease: Uuid,
        now: DateTime<Utc>,
    ) -> Plan {
        let (lead, assignment) = occasion.what();
        let id = match O::EVENT {
            EventKind::LeadAssigned => DeliveryId::derive(&[assignment.as_bytes(), endpoint.id.as_bytes()]),
            EventKind::LeadReturned => {
                DeliveryId::derive(&[b"returned", assignment.as_bytes(), endpoint.id.as_bytes()])
            }
        };
        let key = DeliveryKey { id, seller: endpoint.seller, buyer: endpoint.buyer, lead, assignment, event: O::EVENT };
        let mut row = NewDelivery {
            key,
            endpoint: endpoint.id,
            payload: body.clone(),
            traceparent: occasion.traceparent().cloned(),
            status: Status::Pending,
            due_at: Some(now),
            lease: None,
            error: String::new(),
            created_at: now,
        };
        let mut send = None;
        if let Some(reason) = endpoint.off() {
            row = NewDelivery { status: Status::GaveUp, due_at: None, error: reason, ..row };
        } else if let Some(slot) = dispatcher.reserve(endpoint) {
            let leased_until = now + self.lease;
            row = NewDelivery { due_at: Some(leased_until), lease: Some(lease), ..row };
            let job = Job {
                key,
                endpoint: endpoint.clone(),
                payload: row.payload.clone(),
                traceparent: row.traceparent.clone(),
                attempts_made: 0,
                attempts_before: 0,
                arrived: false,
                taken_over: false,
                lease,
                leased_until,
            };
            send = Some((slot, job));
        }
        Plan { row, send }
    }
}

/// What the buyer is told of a sale.
fn telling(sale: &Sale) -> Result<Telling, HandleError> {
    let data: Map<String, Value> = serde_json::from_slice(&sale.data_json).map_err(HandleError::permanent)?;
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

/// A row to store, and what to do once it is.
struct Plan {
    row: NewDelivery,
    send: Option<(Slot, Job)>,
}
