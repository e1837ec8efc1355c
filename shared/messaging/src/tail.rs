//! Events as they pass, for people.

use crate::{
    Bus, BusError, Message,
    listener::{Heard, Listener},
};

/// Everything that is published on `subject` (NATS wildcards allowed) from now on.
pub struct Tail(Listener);

impl Tail {
    /// Listens.
    ///
    /// # Errors
    /// [`BusError::Core`] when the subscription cannot be made.
    pub async fn on(bus: &Bus, subject: &str) -> Result<Self, BusError> {
        Listener::on(bus, &[subject]).await.map(Self)
    }

    /// The next event; messages that are not events are passed over. `None` when the connection ended.
    pub async fn next(&mut self) -> Option<(Message, Option<serde_json::Value>)> {
        loop {
            if let Heard::Event(message) = self.0.next().await? {
                let json = leadflow_contracts::to_json(&message.kind, &message.payload);
                return Some((message, json));
            }
        }
    }
}
