//! A made-up lead for a buyer who wants to see whether his receiver works.

use std::sync::Arc;

use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, Currency, DeliveryId, LeadId, Money, SellerId};
use leadflow_notifier_domain::{LeadAssigned, payload};
use uuid::Uuid;

use super::{AppError, Notifier};
use crate::{
    model::{Attempt, DeliveryKey, Job},
    outbound::webhook::Webhooks,
    store::endpoints,
};

/// Says of itself that it is a sample.
const DATA: &[u8] = br#"{"test":true,"firstName":"Sample","lastName":"Lead","email":"sample@example.com"}"#;

impl Notifier {
    /// Sends the sample, signed like any delivery, and gives what came back. Nothing is recorded, and it is
    /// sent to a webhook that is switched off, too: to see whether it can be switched on.
    ///
    /// # Errors
    /// [`AppError::NotFound`] without a webhook.
    pub async fn send_sample(&self, seller: SellerId, buyer: BuyerId) -> Result<Attempt, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let endpoint = endpoints::of_buyer(&mut tx, seller, buyer).await?.ok_or(AppError::NotFound("endpoint"))?;
        // No connection is kept while a receiver takes its time.
        drop(tx);
        let now = self.clock.now();
        let (lead, assignment) = (LeadId::new(), AssignmentId::new());
        let sample = LeadAssigned {
            lead,
            buyer,
            assignment,
            campaign: CampaignId::derive(&[b"sample"]),
            campaign_name: "Sample campaign",
            category_name: "Sample category",
            state: "CA",
            quality: "",
            price: Money::zero(Currency::USD),
            assigned_at: now,
            data_json: DATA,
        };
        let job = Job {
            key: DeliveryKey { id: DeliveryId::new(), seller, buyer, lead, assignment },
            endpoint: Arc::new(endpoint),
            payload: payload(&sample).map_err(|error| AppError::Sample(error.to_string()))?.into(),
            traceparent: None,
            attempts_made: 0,
            lease: Uuid::nil(),
            leased_until: now,
        };
        let webhooks = Webhooks::new(self.client.clone(), self.keys.clone(), Arc::clone(&self.clock));
        Ok(webhooks.send(&job).await)
    }
}
