//! The directory: the newest state of every record (sellers, suppliers, campaigns …), loaded from
//! the stream at start and followed from there, for services that keep it in memory.

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::StreamExt;
use leadflow_contracts::streams;
use leadflow_kernel::Backoff;
use tokio_util::sync::CancellationToken;

use crate::{Bus, BusError, Message};

/// How often to look whether the connection is still the one that reading began on.
const CONNECTION_CHECK: Duration = Duration::from_secs(1);
const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Where directory records go.
pub trait Sink: Send + 'static {
    /// One record's whole state. May be older than what is known: compare versions.
    fn apply(&mut self, message: &Message);
    /// Everything that was stored when reading began has been applied. Called again after a reconnect.
    fn loaded(&mut self);
}

/// Loads and follows the subjects of `nouns` ("seller", "campaign" …) until `shutdown`.
pub async fn follow(bus: Bus, nouns: &[&str], mut sink: impl Sink, shutdown: impl Into<CancellationToken>) {
    let shutdown = shutdown.into();
    let filters: Vec<String> = nouns.iter().map(|noun| leadflow_contracts::subjects::all_changed(noun)).collect();
    let mut failures = 0_u32;
    while !shutdown.is_cancelled() {
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = read(&bus, filters.clone(), &mut sink) => outcome,
        };
        if let Err(error) = outcome {
            failures = failures.saturating_add(1);
            tracing::warn!(failures, error = %error, "directory reader interrupted");
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY.delay(failures, rand::random())) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn read(bus: &Bus, filter_subjects: Vec<String>, sink: &mut impl Sink) -> Result<(), BusError> {
    let failed = |what: &str, error: String| BusError::Topology {
        what: format!("stream {}: {what}: {error}", streams::DIRECTORY),
        source: None,
    };
    let connects = || bus.client().statistics().connects.load(Ordering::Relaxed);
    let began_on = connects();
    let stream = bus
        .jetstream()
        .get_stream(streams::DIRECTORY)
        .await
        .map_err(|error| failed("cannot be read", error.to_string()))?;
    let consumer = stream
        .create_consumer(pull::OrderedConfig {
            deliver_policy: DeliverPolicy::LastPerSubject,
            filter_subjects,
            ..Default::default()
        })
        .await
        .map_err(|error| failed("cannot be followed", error.to_string()))?;
    let mut loaded = consumer.cached_info().num_pending == 0;
    if loaded {
        sink.loaded();
    }
    let mut messages = consumer.messages().await.map_err(|error| failed("cannot be followed", error.to_string()))?;
    loop {
        let message = match tokio::time::timeout(CONNECTION_CHECK, messages.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            // A new connection: the client would notice only after half a minute without heartbeats,
            // and for that long a revoked key would go on working.
            Err(_) if connects() != began_on => return Ok(()),
            Err(_) => continue,
        };
        let message = message.map_err(|error| failed("interrupted", error.to_string()))?;
        let pending = message.info().map_or(0, |info| info.pending);
        sink.apply(&Message::from_nats(&message));
        if pending == 0 && !loaded {
            loaded = true;
            sink.loaded();
        }
    }
}
