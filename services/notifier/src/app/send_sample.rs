//! A made-up lead for a buyer who wants to see whether his receiver works.

use std::sync::Arc;

use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, LeadId, SellerId};
use leadflow_notifier_domain::{EventKind, Meaning, meaning, sample};
use uuid::Uuid;

use super::{AppError, Notifier};
use crate::{
    model::{Attempt, DeliveryKey, Job, SaleKey},
    outbound::webhook::Webhooks,
    store::endpoints,
};

/// What came back from a sample.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The request.
    pub attempt: Attempt,
    /// How the endpoint's rules read the answer; `None`: they say nothing of it.
    pub meaning: Option<Meaning>,
}

impl Notifier {
    /// Sends the sample to one of a buyer's webhooks, or his first, signed and formed like any delivery, and gives what came
    /// back. Nothing is recorded, and it is sent to a webhook that is switched off, too: to see whether it can be switched on.
    ///
    /// # Errors
    /// [`AppError::NotFound`] without a webhook.
    pub async fn send_sample(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        endpoint: Option<EndpointId>,
    ) -> Result<Sample, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let endpoint = endpoints::of_buyer(&mut tx, seller, buyer, endpoint).await?;
        let endpoint = endpoint.ok_or(AppError::NotFound("endpoint"))?;
        // No connection is kept while a receiver takes its time.
        drop(tx);
        let now = self.clock.now();
        let (lead, assignment) = (LeadId::new(), AssignmentId::new());
        let body = sample(buyer, lead, assignment, now).map_err(|error| AppError::Sample(error.to_string()))?;
        let job = Job {
            key: DeliveryKey {
                id: DeliveryId::new(),
                seller,
                buyer,
                sale: Some(SaleKey { lead, assignment }),
                event: EventKind::LeadAssigned,
            },
            endpoint: Arc::new(endpoint),
            payload: body.into(),
            traceparent: None,
            attempts_made: 0,
            attempts_before: 0,
            arrived: false,
            taken_over: false,
            lease: Uuid::nil(),
            leased_until: now,
        };
        let webhooks = Webhooks::new(self.client.clone(), self.keys.clone(), Arc::clone(&self.clock));
        let attempt = webhooks.send(&job).await;
        let meaning = meaning(&attempt.reply, job.context(&attempt));
        Ok(Sample { attempt, meaning })
    }
}
