//! Publishing what the outbox holds.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::store::{Outbox, Pending, PendingRow};
use crate::{Bus, BusError, Envelope, chain::chain};

/// Transactions whose events may wait in memory; more wait for the sweeper.
const QUEUE: usize = 256;
/// How long published rows gather before they are deleted together.
const DELETE_EVERY: Duration = Duration::from_millis(100);
/// How often the sweeper looks when nobody wakes it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Why a relay could not finish a step; the rows stay for the next one.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// PostgreSQL.
    #[error("outbox table")]
    Database(#[from] sqlx::Error),
    /// NATS.
    #[error("publishing from the outbox")]
    Bus(#[from] BusError),
}

/// Publishes one schema's outbox. Clones share the queue.
#[derive(Clone)]
pub struct Relay {
    outbox: Outbox,
    pool: PgPool,
    bus: Bus,
    queue: mpsc::Sender<Pending>,
    ordered: Arc<Notify>,
}

impl Relay {
    /// A relay, and the task that must run for it until `shutdown` (spawn it): the queue is then
    /// emptied before the task ends.
    pub fn new(
        outbox: Outbox,
        pool: PgPool,
        bus: Bus,
        shutdown: impl Into<CancellationToken> + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let relay = Self { outbox, pool, bus, queue, ordered: Arc::new(Notify::new()) };
        let task = run(relay.clone(), waiting, shutdown.into());
        (relay, task)
    }

    /// Publishes `pending` soon. Call it after the commit; never waits, never fails: what cannot be
    /// taken now is found by the sweeper.
    pub fn send(&self, pending: Pending) {
        if pending.ordered {
            self.ordered.notify_one();
        }
        if !pending.rows.is_empty() && self.queue.try_send(pending).is_err() {
            tracing::debug!(schema = self.outbox.schema(), "outbox queue is full; left to the sweeper");
        }
    }

    /// Publishes rows that their own process left behind. Returns how many.
    ///
    /// # Errors
    /// When the database or the stream does not take it; the rows stay.
    pub async fn sweep(&self) -> Result<usize, RelayError> {
        let rows = self.outbox.claim_left_behind(&self.pool).await?;
        let taken = rows.len();
        if taken > 0 {
            self.publish(rows).await?;
        }
        Ok(taken)
    }

    /// Publishes rows of directory events, in order, as the only one to do so at the time.
    /// Returns how many.
    ///
    /// # Errors
    /// When the database or the stream does not take it; the rows stay.
    pub async fn sweep_ordered(&self) -> Result<usize, RelayError> {
        let mut transaction = self.pool.begin().await?;
        let rows = self.outbox.lock_and_read_ordered(&mut transaction).await?;
        let taken = rows.len();
        if taken > 0 {
            let (ids, events) = split(rows);
            for part in without_repeats(&events) {
                self.bus.publish_newest(part).await?;
            }
            self.outbox.delete(&mut transaction, ids).await?;
        }
        transaction.commit().await?;
        Ok(taken)
    }

    async fn publish(&self, rows: Vec<PendingRow>) -> Result<(), RelayError> {
        let (ids, events) = split(rows);
        self.bus.publish(&events).await?;
        self.delete(ids).await
    }

    async fn delete(&self, ids: Vec<Uuid>) -> Result<(), RelayError> {
        let mut connection = self.pool.acquire().await?;
        Ok(self.outbox.delete(&mut connection, ids).await?)
    }
}

fn split(rows: impl IntoIterator<Item = PendingRow>) -> (Vec<Uuid>, Vec<Envelope>) {
    let mut ids = Vec::new();
    let mut events = Vec::new();
    for row in rows {
        ids.push(row.id);
        events.extend(row.events);
    }
    (ids, events)
}

/// Cuts `events` so that no part names a subject twice. Versions of one record must be stored one after
/// the other: were the older one lost on its way and the newer one stored, sending both again would store the older
/// one last, because the stream knows the newer one already.
fn without_repeats(mut events: &[Envelope]) -> impl Iterator<Item = &[Envelope]> {
    std::iter::from_fn(move || {
        let mut seen = HashSet::new();
        let length = events.iter().take_while(|event| seen.insert(event.subject.as_str())).count();
        let (part, rest) = events.split_at(length);
        events = rest;
        (!part.is_empty()).then_some(part)
    })
}

async fn run(relay: Relay, mut waiting: mpsc::Receiver<Pending>, shutdown: CancellationToken) {
    let (published, deletable) = mpsc::unbounded_channel();
    let direct = async {
        // Dropped at the end, which ends the deletion after its last round.
        let published = published;
        let mut taken = Vec::new();
        loop {
            let stop = tokio::select! {
                biased;
                count = waiting.recv_many(&mut taken, QUEUE) => count == 0,
                () = shutdown.cancelled() => {
                    // One last look: what was queued before the stop is still published.
                    while let Ok(pending) = waiting.try_recv() {
                        taken.push(pending);
                    }
                    true
                }
            };
            let (ids, events) = split(taken.drain(..).flat_map(|pending: Pending| pending.rows));
            if !ids.is_empty() {
                match relay.bus.publish(&events).await {
                    // Deleted apart, so that the next events need not wait for it.
                    Ok(()) => drop(published.send(ids)),
                    Err(error) => {
                        tracing::warn!(schema = relay.outbox.schema(), error = %chain(&error), "outbox not published; the sweeper will");
                    }
                }
            }
            if stop {
                break;
            }
        }
    };
    // Apart: records that the directory does not take must hold up no sale's events.
    let in_order = async {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = relay.ordered.notified() => {}
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
            tell(&relay, until_empty(|| relay.sweep_ordered()).await);
        }
        // Directory events have no direct path: what was written just before the stop goes now.
        if let Err(error) = relay.sweep_ordered().await {
            tracing::debug!(error = %chain(&error), "last outbox sweep failed; the next start publishes");
        }
    };
    let left_behind = async {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
            tell(&relay, until_empty(|| relay.sweep()).await);
        }
    };
    tokio::join!(direct, in_order, left_behind, delete_published(&relay, deletable, &shutdown));
}

async fn until_empty<F: Future<Output = Result<usize, RelayError>>>(sweep: impl Fn() -> F) -> Result<(), RelayError> {
    while sweep().await? > 0 {}
    Ok(())
}

fn tell(relay: &Relay, swept: Result<(), RelayError>) {
    if let Err(error) = swept {
        tracing::warn!(schema = relay.outbox.schema(), error = %chain(&error), "outbox sweep failed");
    }
}

/// Deletes the rows of published events, a few times a second; what cannot be deleted is published again
/// by a sweeper.
async fn delete_published(
    relay: &Relay,
    mut deletable: mpsc::UnboundedReceiver<Vec<Uuid>>,
    shutdown: &CancellationToken,
) {
    while let Some(mut ids) = deletable.recv().await {
        tokio::select! {
            () = tokio::time::sleep(DELETE_EVERY) => {}
            () = shutdown.cancelled() => {}
        }
        while let Ok(more) = deletable.try_recv() {
            ids.extend(more);
        }
        if let Err(error) = relay.delete(ids).await {
            tracing::warn!(schema = relay.outbox.schema(), error = %chain(&error), "published events stay in the outbox; the sweeper repeats them");
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use leadflow_kernel::EventId;

    use super::*;

    #[test]
    fn versions_of_one_record_never_travel_together() {
        let event = |subject: &str| Envelope {
            id: EventId::new(),
            subject: subject.to_owned(),
            kind: "k".to_owned(),
            time: DateTime::UNIX_EPOCH,
            traceparent: None,
            payload: bytes::Bytes::new(),
        };
        let events: Vec<_> = ["a", "b", "a", "c", "a", "a"].map(event).into();
        let parts: Vec<Vec<&str>> =
            without_repeats(&events).map(|part| part.iter().map(|event| event.subject.as_str()).collect()).collect();
        assert_eq!(parts, [vec!["a", "b"], vec!["a", "c"], vec!["a"], vec!["a"]]);
        assert_eq!(without_repeats(&[]).count(), 0);
    }
}
