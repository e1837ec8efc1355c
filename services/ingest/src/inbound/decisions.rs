//! Decisions that come back over core NATS to this instance.

use leadflow_contracts::events;
use leadflow_kernel::LeadId;
use leadflow_messaging::{Bus, CoreMessages};
use leadflow_platform::Shutdown;
use prost::Message as _;

use super::core;
use crate::store::waiters::Waiters;

/// Hands decisions to who waits for them, until `shutdown`.
pub async fn listen(bus: Bus, subject: String, messages: CoreMessages, waiters: Waiters, shutdown: Shutdown) {
    core::each(bus, subject, messages, shutdown, |payload| deliver(payload, &waiters)).await;
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
