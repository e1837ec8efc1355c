//! Events as they pass, for people.

use std::collections::VecDeque;

use futures::StreamExt;

use crate::{Bus, BusError, Message, bundle};

/// Everything that is published on `subject` (NATS wildcards allowed) from now on.
pub struct Tail {
    subscriber: async_nats::Subscriber,
    opened: VecDeque<Message>,
}

impl Tail {
    /// Listens.
    ///
    /// # Errors
    /// [`BusError::Core`] when the subscription cannot be made.
    pub async fn on(bus: &Bus, subject: &str) -> Result<Self, BusError> {
        let subscriber =
            bus.client().subscribe(subject.to_owned()).await.map_err(|error| BusError::Core(error.to_string()))?;
        bus.client().flush().await.map_err(|error| BusError::Core(error.to_string()))?;
        Ok(Self { subscriber, opened: VecDeque::new() })
    }

    /// The next event; messages that are not events are passed over. `None` when the connection ended.
    pub async fn next(&mut self) -> Option<(Message, Option<serde_json::Value>)> {
        loop {
            if let Some(message) = self.opened.pop_front() {
                let json = leadflow_contracts::to_json(&message.kind, &message.payload);
                return Some((message, json));
            }
            let raw = self.subscriber.next().await?;
            let header =
                |name: &str| raw.headers.as_ref().and_then(|map| map.get(name)).map(|value| value.as_str().to_owned());
            let Some(kind) = header(crate::headers::TYPE) else {
                continue;
            };
            let Some(id) = header(crate::headers::ID).and_then(|text| text.parse().ok()) else {
                continue;
            };
            self.opened.extend(bundle::open(Message {
                id,
                subject: raw.subject.to_string(),
                kind,
                traceparent: header(crate::headers::TRACEPARENT),
                payload: raw.payload,
                delivered: 1,
                sequence: 0,
            }));
        }
    }
}
