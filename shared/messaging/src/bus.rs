//! The connection to NATS.

mod ordered;
mod probe;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{
    Client, ConnectOptions, Event,
    connection::State,
    jetstream::{self, context::ContextBuilder},
};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::watch;

use crate::{bundle, envelope::Envelope};

/// How to reach NATS.
#[derive(Debug, Clone)]
pub struct BusSettings {
    /// One URL or several, comma-separated. May hold credentials: never logged.
    pub url: String,
    /// The service's name: the connection's name and the `ce-source` of its events.
    pub source: String,
    /// How long to keep trying to connect at start.
    pub connect_within: Duration,
}

/// The oldest server whose behaviour this code relies on: older ones may lose messages of a stream when its files are compacted after
/// a removal (mended in 2.12.3).
const OLDEST: (u64, u64, u64) = (2, 12, 3);
/// How long a publish waits for the stream's acknowledgement.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection, shared by cloning. It reconnects by itself for ever.
#[derive(Clone)]
pub struct Bus {
    client: Client,
    jetstream: jetstream::Context,
    source: Arc<str>,
    interruptions: watch::Receiver<u64>,
}

/// Why something could not be done on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No connection within the time allowed.
    #[error("cannot reach NATS (setting NATS_URL) within {0:?}")]
    Unreachable(Duration, #[source] async_nats::ConnectError),
    /// The server ignores options of newer versions without an error, so it is refused.
    #[error("nats-server {found} is too old: 2.12.3 or newer is needed")]
    TooOld {
        /// What the server says it is.
        found: String,
    },
    /// A publish was not acknowledged. It may have been stored all the same.
    #[error("publish on {subject} was not acknowledged")]
    Publish {
        /// The subject.
        subject: String,
        /// The client's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream or consumer could not be created, read or is not what the program needs.
    #[error("{what}")]
    Topology {
        /// What is wrong, naming the stream or consumer.
        what: String,
        /// The server's error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A core message could not be sent or a subscription not be made.
    #[error("core NATS: {0}")]
    Core(String),
}

impl Bus {
    /// Connects, retrying for `connect_within`.
    ///
    /// # Errors
    /// [`BusError::Unreachable`] or [`BusError::TooOld`].
    pub async fn connect(settings: &BusSettings) -> Result<Self, BusError> {
        let give_up = Instant::now() + settings.connect_within;
        let (interrupted, interruptions) = watch::channel(0);
        let client = loop {
            let interrupted = interrupted.clone();
            let attempt = ConnectOptions::new()
                .name(&settings.source)
                .connection_timeout(Duration::from_secs(3))
                .ping_interval(Duration::from_secs(5))
                .max_reconnects(None)
                .reconnect_delay_callback(|attempts| {
                    Duration::from_millis(50).saturating_mul(1 << attempts.min(5)).min(Duration::from_secs(1))
                })
                .event_callback(move |event| {
                    note(&event, &interrupted);
                    async move { tracing::info!(%event, "nats connection") }
                })
                .connect(settings.url.split(',').map(str::trim).collect::<Vec<_>>())
                .await;
            match attempt {
                Ok(client) => break client,
                Err(error) if Instant::now() >= give_up => {
                    return Err(BusError::Unreachable(settings.connect_within, error));
                }
                Err(error) => {
                    tracing::debug!(%error, "NATS not reachable yet");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        };
        let found = client.server_info().version;
        if !new_enough(&found) {
            return Err(BusError::TooOld { found });
        }
        let jetstream = ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            .ack_timeout(ACK_TIMEOUT)
            .max_ack_inflight(16_384)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self { client, jetstream, source: settings.source.as_str().into(), interruptions })
    }

    /// Whether the connection stands at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The `ce-source` of events published here.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The version the server says it is.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// Publishes all of `events`, one after the other on the wire without waiting in between, and
    /// returns when the stream has acknowledged every one. Neighbours on the same subject travel as
    /// one message: they are stored, synced and acknowledged together.
    ///
    /// # Errors
    /// [`BusError::Publish`] for the first that was not acknowledged; others may have been stored.
    pub async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        let mut acks = Vec::new();
        for run in bundle::runs(events) {
            let subject = &run[0].subject;
            let (headers, payload) = bundle::pack(run, &self.source);
            let ack = self
                .jetstream
                .publish_with_headers(subject.clone(), headers, payload)
                .await
                .map_err(|error| unpublished(subject, error))?;
            acks.push((ack, subject));
        }
        for (ack, subject) in acks {
            ack.await.map_err(|error| unpublished(subject, error))?;
        }
        Ok(())
    }

    /// Sends an unstored message: whoever listens now gets it, nobody else ever will.
    ///
    /// # Errors
    /// [`BusError::Core`] when the client's buffer cannot take it.
    pub async fn send_core(&self, subject: &str, payload: Bytes) -> Result<(), BusError> {
        self.client.publish(subject.to_owned(), payload).await.map_err(|error| BusError::Core(error.to_string()))
    }

    /// Listens to unstored messages on `subject`. The subscription outlives reconnects.
    ///
    /// # Errors
    /// [`BusError::Core`] when the subscription cannot be made.
    pub async fn subscribe_core(&self, subject: &str) -> Result<CoreMessages, BusError> {
        let subscriber =
            self.client.subscribe(subject.to_owned()).await.map_err(|error| BusError::Core(error.to_string()))?;
        // Without a flush an answer could be sent before the server knows of the subscription.
        self.client.flush().await.map_err(|error| BusError::Core(error.to_string()))?;
        Ok(CoreMessages(subscriber))
    }

    /// Sends what is buffered and closes the connection.
    pub async fn close(&self) {
        if let Err(error) = self.client.drain().await {
            tracing::debug!(%error, "NATS connection was already closed");
        }
    }

    /// Changes whenever unstored messages may have been missed; its value counts the times that some came faster
    /// than they were taken and were dropped.
    pub(crate) fn interruptions(&self) -> watch::Receiver<u64> {
        self.interruptions.clone()
    }

    pub(crate) const fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }
}

/// Unstored messages of one subscription.
pub struct CoreMessages(async_nats::Subscriber);

impl CoreMessages {
    /// The next payload; `None` when the connection was closed for good.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.0.next().await.map(|message| message.payload)
    }
}

fn note(event: &Event, interrupted: &watch::Sender<u64>) {
    match event {
        Event::SlowConsumer(_) => interrupted.send_modify(|dropped| *dropped += 1),
        Event::Connected => interrupted.send_modify(|_| {}),
        _ => {}
    }
}

fn unpublished(subject: &str, error: impl std::error::Error + Send + Sync + 'static) -> BusError {
    BusError::Publish { subject: subject.to_owned(), source: Box::new(error) }
}

fn new_enough(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u64>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next()) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn servers_older_than_2_12_3_are_refused() {
        for (version, accepted) in [
            ("2.9.10", false),
            ("2.11.9", false),
            ("2.12.2", false),
            ("2.12.3", true),
            ("2.13.0", true),
            ("2.15.1-RC.1", true),
            ("3.0.0", true),
            ("", false),
        ] {
            assert_eq!(new_enough(version), accepted, "{version}");
        }
    }
}
