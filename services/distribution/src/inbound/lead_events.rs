//! `lead.received`: batches to be decided.

use leadflow_contracts::events::LeadReceived;
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use super::convert::failed;
use crate::app::{App, Posted};

/// Decides posted leads.
pub struct LeadEvents {
    app: App,
}

impl LeadEvents {
    /// With `app`.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl BatchHandler for LeadEvents {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let posted = batch.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        self.app.decide_batch(&posted).await.map_err(failed)
    }
}

fn read(message: &Message) -> Result<Posted, HandleError> {
    let event: LeadReceived = message.decode().map_err(HandleError::permanent)?;
    Posted::read(event, message.traceparent.clone()).map_err(HandleError::permanent)
}
