//! `notification.lead_refused`: buyers' systems that do not take what was sold.

use leadflow_contracts::{
    events::{LeadRefusal, LeadRefused},
    id,
};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, BoxError, HandleError},
};

use super::convert::failed;
use crate::app::{App, Refusal};

/// Undoes such sales.
pub struct Refusals {
    app: App,
}

impl Refusals {
    /// With `app`.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl BatchHandler for Refusals {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        // Few, and each of another campaign, buyer and tenant: a transaction each. What was done is not done again.
        for message in batch {
            let refusal = read(message).map_err(HandleError::permanent)?;
            self.app.refuse_lead(&refusal).await.map_err(failed)?;
        }
        Ok(())
    }
}

fn read(message: &Message) -> Result<Refusal, BoxError> {
    let event = message.decode::<LeadRefused>()?;
    let duplicate = event.refusal() == LeadRefusal::Duplicate;
    Ok(Refusal {
        seller: id(&event.seller_id, "seller_id")?,
        buyer: id(&event.buyer_id, "buyer_id")?,
        assignment: id(&event.assignment_id, "assignment_id")?,
        lead: id(&event.lead_id, "lead_id")?,
        duplicate,
        because: event.because,
    })
}
