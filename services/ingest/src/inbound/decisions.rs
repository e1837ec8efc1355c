//! Decisions that come back over core NATS to this instance.

use std::time::Duration;

use leadflow_contracts::events;
use leadflow_kernel::LeadId;
use leadflow_messaging::{Bus, CoreMessages};
use leadflow_platform::Shutdown;
use prost::Message as _;

use crate::store::waiters::Waiters;

/// Hands decisions to who waits for them, until `shutdown`.
pub async fn listen(bus: Bus, subject: String, mut messages: CoreMessages, waiters: Waiters, shutdown: Shutdown) {
    loop {
        let payload = tokio::select! {
            () = shutdown.cancelled() => return,
            payload = messages.next() => payload,
        };
        if let Some(payload) = payload {
            deliver(&payload, &waiters);
            continue;
        }
        // The subscription ended: without a new one every answer would take its whole time and be 202.
        match bus.subscribe_core(&subject).await {
            Ok(again) => messages = again,
            Err(error) => {
                tracing::warn!(%error, "decisions cannot be heard");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
    }
}

fn deliver(payload: &[u8], waiters: &Waiters) {
    let decisions = match events::Decisions::decode(payload) {
        Ok(message) => message.decisions,
        Err(error) => {
            tracing::warn!(%error, "a message on the reply subject is not a list of decisions");
            return;
        }
    };
    for decision in decisions {
        match decision.lead_id.parse::<LeadId>() {
            Ok(lead_id) => waiters.resolve(lead_id, &decision),
            Err(error) => tracing::warn!(%error, "a decision without a lead's id"),
        }
    }
}
