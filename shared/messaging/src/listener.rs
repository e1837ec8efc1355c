//! Events as they pass, heard by whoever listens at the moment and kept by nobody.
//!
//! A stream's subjects are ordinary subjects: what is published to be stored is also given to whoever subscribes, even before
//! it is stored, and again when a publisher repeats it. So a listener may hear an event twice, or one that
//! was refused and will come again; and while the connection is away it hears nothing, which it is told.

use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{SelectAll, select_all},
};
use tokio::sync::watch;

use crate::{Bus, BusError, Message, bundle, headers};

/// How long the server may take to answer that it knows our subscriptions.
const ROUND_TRIP: Duration = Duration::from_secs(3);
/// Between two tries while the connection is away.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that is published on some subjects from now on.
pub struct Listener {
    bus: Bus,
    subscriptions: SelectAll<async_nats::Subscriber>,
    opened: VecDeque<Message>,
    wakes: watch::Receiver<u64>,
    seen: Continuity,
}

/// What a listener hears.
#[derive(Debug)]
pub enum Heard {
    /// An event.
    Event(Message),
    /// Events may have been missed until now: the connection was away, or they came faster than they were taken.
    Gap,
}

/// What changes whenever something may have been missed: connections made, messages dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Continuity(u64, u64);

impl Listener {
    /// Listens to `subjects` (NATS wildcards allowed). What is published after this returns is heard.
    ///
    /// # Errors
    /// [`BusError::Core`] when the connection is away or a subscription cannot be made.
    pub async fn on(bus: &Bus, subjects: &[&str]) -> Result<Self, BusError> {
        let mut subscriptions = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let subscription = bus.client().subscribe((*subject).to_owned()).await;
            subscriptions.push(subscription.map_err(|error| BusError::Core(error.to_string()))?);
        }
        let wakes = bus.interruptions();
        let seen = continuity(bus, &wakes);
        round_trip(bus).await?;
        Ok(Self { bus: bus.clone(), subscriptions: select_all(subscriptions), opened: VecDeque::new(), wakes, seen })
    }

    /// The next event or gap; messages that are not events are passed over. `None` when the connection was closed
    /// for good. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some(message) = self.opened.pop_front() {
                return Some(Heard::Event(message));
            }
            let now = continuity(&self.bus, &self.wakes);
            if now != self.seen {
                // Told only when the server has the subscriptions again: what follows the gap is heard.
                match round_trip(&self.bus).await {
                    Ok(()) => {
                        self.seen = now;
                        return Some(Heard::Gap);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "not listening yet");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                }
            }
            tokio::select! {
                changed = self.wakes.changed() => changed.ok()?,
                raw = self.subscriptions.next() => self.opened.extend(events(raw?)),
            }
        }
    }
}

fn continuity(bus: &Bus, wakes: &watch::Receiver<u64>) -> Continuity {
    Continuity(bus.client().statistics().connects.load(Ordering::Relaxed), *wakes.borrow())
}

/// The server handles a connection's commands in order: when a message to ourselves is back, it has seen
/// everything before it.
async fn round_trip(bus: &Bus) -> Result<(), BusError> {
    let client = bus.client();
    let whole = async {
        let inbox = client.new_inbox();
        let mut echo = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        client.publish(inbox, Bytes::new()).await.map_err(|error| error.to_string())?;
        client.flush().await.map_err(|error| error.to_string())?;
        echo.next().await.ok_or_else(|| "the connection is closed".to_owned()).map(|_| ())
    };
    let outcome = tokio::time::timeout(ROUND_TRIP, whole).await;
    outcome.unwrap_or_else(|_| Err("the server does not answer".to_owned())).map_err(BusError::Core)
}

/// The events in a message as it was published.
fn events(raw: async_nats::Message) -> Vec<Message> {
    let header = |name: &str| raw.headers.as_ref().and_then(|map| map.get(name)).map(|value| value.as_str().to_owned());
    let (Some(kind), Some(id)) = (header(headers::TYPE), header(headers::ID).and_then(|text| text.parse().ok())) else {
        return Vec::new();
    };
    bundle::open(Message {
        id,
        subject: raw.subject.to_string(),
        kind,
        traceparent: header(headers::TRACEPARENT),
        payload: raw.payload,
        delivered: 1,
        sequence: 0,
    })
}
