//! What endpoints are told of becomes deliveries: one row for each occasion and each of its buyer's endpoints that wants
//! to know, all of a batch in one statement. An occasion told twice is one row, because its id follows from the occasion. The first attempt
//! then starts from memory, because the rows are born with a lease; a crash before it ends leaves rows that come up again when the lease does.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, DeliveryId, EndpointId, SellerId};
use leadflow_messaging::{consumer::HandleError, outbox::Pending};
use leadflow_notifier_domain::{EventKind, PayloadError};
use sqlx::Acquire as _;
use uuid::Uuid;

use super::{Notifier, log_deliveries};
use crate::{
    model::{DeliveryKey, Endpoint, Job, SaleKey},
    outbound::{
        dispatcher::{Dispatcher, Origin, Slot},
        events,
    },
    store::{
        deliveries::{self, NewDelivery, Status},
        endpoints,
    },
};

/// Something that an endpoint may be told of.
pub(super) trait Occasion {
    /// Who wants to know.
    const EVENT: EventKind;
    /// Whom it concerns.
    fn whose(&self) -> (SellerId, BuyerId);
    /// The sale that it is about, if it is about one.
    fn sale(&self) -> Option<SaleKey>;
    /// The delivery to this endpoint: the same for a repeat.
    fn delivery(&self, endpoint: EndpointId) -> DeliveryId;
    /// The trace it belongs to.
    fn traceparent(&self) -> Option<&String>;
    /// When the lead was received whose delivery this is.
    fn received_at(&self) -> Option<DateTime<Utc>> {
        None
    }
    /// What is sent, when it is heard of now.
    fn body(&self, now: DateTime<Utc>) -> Result<Vec<u8>, PayloadError>;
}

impl Notifier {
    /// Stores the deliveries that tell of these and begins to send them.
    ///
    /// # Errors
    /// Transient for the database; permanent when there is no body for one.
    pub(super) async fn accept<O: Occasion + Sync>(
        &self,
        occasions: &[O],
        dispatcher: &Dispatcher,
    ) -> Result<(), HandleError> {
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
            let body = Bytes::from(occasion.body(now).map_err(HandleError::permanent)?);
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
        for Plan { row, .. } in planned.iter().filter(|plan| plan.row.status == Status::GaveUp) {
            log_deliveries::not_sent(&row.key, row.traceparent.as_deref());
        }
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
        let key = DeliveryKey {
            id: occasion.delivery(endpoint.id),
            seller: endpoint.seller,
            buyer: endpoint.buyer,
            sale: occasion.sale(),
            event: O::EVENT,
        };
        let mut row = NewDelivery {
            key,
            endpoint: endpoint.id,
            payload: body.clone(),
            traceparent: occasion.traceparent().cloned(),
            status: Status::Pending,
            due_at: Some(now),
            lease: None,
            error: String::new(),
            received_at: occasion.received_at(),
            created_at: now,
        };
        let mut send = None;
        if let Some(reason) = endpoint.off() {
            row = NewDelivery { status: Status::GaveUp, due_at: None, error: reason, ..row };
        } else if let Some(slot) = dispatcher.reserve(endpoint, Origin::News) {
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

/// A row to store, and what to do once it is.
struct Plan {
    row: NewDelivery,
    send: Option<(Slot, Job)>,
}
