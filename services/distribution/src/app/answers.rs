//! Telling gateways what was decided.

use std::collections::HashMap;

use leadflow_contracts::{common::Decision, events::Decisions};
use prost::Message as _;

use super::App;

impl App {
    /// Sends each decision to the gateway that waits for it, one message a gateway. Not stored: a
    /// gateway that misses it asks later.
    pub(super) async fn answer_gateways(&self, answers: Vec<(&str, Decision)>) {
        let mut by_gateway: HashMap<&str, Decisions> = HashMap::new();
        for (subject, decision) in answers {
            if !subject.is_empty() {
                by_gateway.entry(subject).or_default().decisions.push(decision);
            }
        }
        for (subject, decisions) in by_gateway {
            if let Err(error) = self.bus.send_core(subject, decisions.encode_to_vec().into()).await {
                tracing::debug!(%error, "decisions not sent to their gateway");
            }
        }
    }
}
