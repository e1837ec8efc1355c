//! Publishing for many callers at once, so that one stored and synced message serves all of them.
//!
//! Each caller hands in one event and waits for the stream's acknowledgement. A task takes whatever
//! is waiting (it never waits for more to come) and publishes it as one message per subject; while
//! that is under way the next callers gather. So an event alone is sent at once, and the more
//! callers there are, the more of them share a sync.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Bus, Envelope};

/// Bounds of a [`GroupCommitPublisher`].
#[derive(Debug, Clone, Copy)]
pub struct GroupCommitSettings {
    /// Events that may wait for their turn; more are refused at once.
    pub queue: usize,
    /// The most events taken at a time.
    pub max_group: usize,
    /// Groups under way at once. One is best where the disk is synced (more only makes groups
    /// smaller: 52,000 events a second with one, 34,000 with two), and costs a tenth elsewhere.
    pub in_flight: usize,
    /// How long a caller waits for the acknowledgement, queueing included.
    pub ack_within: Duration,
}

impl Default for GroupCommitSettings {
    fn default() -> Self {
        Self { queue: 4096, max_group: 128, in_flight: 1, ack_within: Duration::from_secs(5) }
    }
}

/// Why an event is not known to be stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// Too many are waiting. It was not sent.
    #[error("too many events are waiting for the stream")]
    Overloaded,
    /// There is no connection, or the publisher has stopped. It was not sent.
    #[error("not connected to NATS")]
    Disconnected,
    /// No acknowledgement in time. It may have been stored or not; the same event sent again (same
    /// id) is known to the stream and to every consumer.
    #[error("not acknowledged within {0:?}")]
    Timeout(Duration),
    /// The stream refused the group, or its acknowledgement was lost. It may have been stored.
    #[error("not acknowledged: {0}")]
    NotAcknowledged(Arc<str>),
}

struct Waiting {
    event: Envelope,
    done: oneshot::Sender<Result<(), PublishError>>,
}

/// Publishes events of many callers in groups. Clones share the queue.
#[derive(Clone)]
pub struct GroupCommitPublisher {
    bus: Bus,
    queue: mpsc::Sender<Waiting>,
    ack_within: Duration,
}

impl GroupCommitPublisher {
    /// A publisher, and the task that must run for it (spawn it) until `shutdown`: what waits then
    /// is still published, what comes later is refused.
    pub fn new(
        bus: Bus,
        settings: GroupCommitSettings,
        shutdown: impl Into<CancellationToken> + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let task = collect(bus.clone(), settings, waiting, shutdown.into());
        (Self { bus, queue, ack_within: settings.ack_within }, task)
    }

    /// Publishes one event; `Ok` when the stream has stored it.
    ///
    /// # Errors
    /// [`PublishError`]; its variants say whether the event may have been stored all the same.
    pub async fn publish(&self, event: Envelope) -> Result<(), PublishError> {
        self.publish_within(event, self.ack_within).await
    }

    /// [`Self::publish`] with a time limit of the caller's own, queueing included.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn publish_within(&self, event: Envelope, within: Duration) -> Result<(), PublishError> {
        // The client would keep it for a reconnect that may come long after the caller was told no.
        if !self.bus.is_connected() {
            return Err(PublishError::Disconnected);
        }
        let (done, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { event, done }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => PublishError::Disconnected,
        })?;
        match tokio::time::timeout(within, outcome).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(PublishError::NotAcknowledged("the publisher was stopped".into())),
            Err(_) => Err(PublishError::Timeout(within)),
        }
    }
}

async fn collect(
    bus: Bus,
    settings: GroupCommitSettings,
    mut waiting: mpsc::Receiver<Waiting>,
    shutdown: CancellationToken,
) {
    let turns = Arc::new(Semaphore::new(settings.in_flight.max(1)));
    let mut group = Vec::new();
    loop {
        // The turn first: what arrives until there is one joins the group.
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let taken = tokio::select! {
            biased;
            taken = waiting.recv_many(&mut group, settings.max_group.max(1)) => taken,
            () = shutdown.cancelled() => {
                waiting.close();
                waiting.recv_many(&mut group, settings.max_group.max(1)).await
            }
        };
        if taken == 0 {
            break;
        }
        // Whoever gave up before being sent must not be stored after having been told no.
        group.retain(|waiting| !waiting.done.is_closed());
        tokio::spawn(send(bus.clone(), std::mem::take(&mut group), turn));
    }
    // All turns back means that every group has its answer.
    let all = u32::try_from(settings.in_flight.max(1)).unwrap_or(1);
    drop(turns.acquire_many(all).await);
}

async fn send(bus: Bus, mut group: Vec<Waiting>, _turn: OwnedSemaphorePermit) {
    group.sort_by(|a, b| a.event.subject.cmp(&b.event.subject));
    let (events, callers): (Vec<_>, Vec<_>) = group.into_iter().map(|one| (one.event, one.done)).unzip();
    let result = if bus.is_connected() {
        bus.publish(&events).await.map_err(|error| PublishError::NotAcknowledged(reason(&error).into()))
    } else {
        Err(PublishError::Disconnected)
    };
    for caller in callers {
        // A caller that has given up meanwhile needs no answer.
        let _ = caller.send(result.clone());
    }
}

fn reason(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
