//! Who is sent to now: bounded at once, per endpoint and in memory.
//!
//! A delivery needs a [`Slot`] to be in memory at all; without one it stays in the table. Each
//! endpoint has a line (`lines.rs`) of its own, so one that hangs fills its line and nobody else's.
//! A request that takes long makes room for others: it moves from the requests at once to the slow ones, of which there
//! may be as many. One that is stuck breaks its endpoint's line down.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use leadflow_kernel::{Clock, EndpointId};
use leadflow_notifier_domain::Reply;
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit, mpsc},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use super::lines::{Load, Origin};
use super::{
    lines::{Lines, room_at_first},
    webhook::Webhooks,
};
use crate::{
    config::Limits,
    model::{Attempt, End, Endpoint, Finished, Job},
};

/// A job's end, and the slot that is free once it is recorded.
pub type Result = (Finished, Option<Slot>);

/// Sends deliveries. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Shared>);

struct Shared {
    webhooks: Webhooks,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// A request may take this long: with less of its lease left, a job is not begun.
    timeout: Duration,
    lines: Mutex<Lines>,
    in_flight: Semaphore,
    /// Requests that take long.
    slow: Semaphore,
    results: mpsc::Sender<Result>,
    room: Notify,
    tasks: TaskTracker,
    /// No new requests.
    stopping: CancellationToken,
    /// Requests at hand are dropped.
    dropping: CancellationToken,
}

/// The right to be in memory.
pub struct Slot {
    shared: Arc<Shared>,
    endpoint: EndpointId,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot({})", self.endpoint)
    }
}

impl Dispatcher {
    /// Sends with `webhooks`; results go to the receiver. `stopping` ends the taking of new work.
    #[must_use]
    pub fn new(
        webhooks: Webhooks,
        clock: Arc<dyn Clock>,
        limits: Limits,
        timeout: Duration,
        stopping: impl Into<CancellationToken>,
    ) -> (Self, mpsc::Receiver<Result>) {
        let (results, receiver) = mpsc::channel(limits.held);
        let shared = Shared {
            webhooks,
            clock,
            limits,
            timeout,
            lines: Mutex::new(Lines::new(limits)),
            in_flight: Semaphore::new(limits.in_flight),
            slow: Semaphore::new(limits.in_flight),
            results,
            room: Notify::new(),
            tasks: TaskTracker::new(),
            stopping: stopping.into(),
            dropping: CancellationToken::new(),
        };
        (Self(Arc::new(shared)), receiver)
    }

    /// A place in the endpoint's line, if there is one.
    #[must_use]
    pub fn reserve(&self, endpoint: &Endpoint, origin: Origin) -> Option<Slot> {
        if self.0.stopping.is_cancelled() {
            return None;
        }
        let failing = endpoint.failing_since.is_some();
        let taken = self.0.lines().reserve(endpoint.id, endpoint.concurrency, failing, origin);
        taken.then(|| Slot { shared: self.0.clone(), endpoint: endpoint.id })
    }

    /// Sends `job` when its turn comes.
    pub fn submit(&self, slot: Slot, job: Job) {
        let shared = self.0.clone();
        self.0.tasks.spawn(async move {
            let dropping = shared.dropping.clone();
            tokio::select! {
                () = shared.work(slot, job) => {}
                () = dropping.cancelled() => {}
            }
        });
    }

    /// Hands a job's end to the recorder without a request.
    pub async fn end(&self, job: Job, end: End) {
        // The recorder outlives everybody who calls this.
        drop(self.0.results.send((Finished { job, end }, None)).await);
    }

    /// How full the lines are now.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.lines().load()
    }

    /// For how many deliveries there is room for an endpoint that has none here.
    #[must_use]
    pub fn room_at_first(&self) -> usize {
        room_at_first(&self.0.limits)
    }

    /// Returns when a full line has room again, or when it is told that the table has work.
    pub async fn room(&self) {
        self.0.room.notified().await;
    }

    /// Deliveries for these endpoints were left in the table. Wakes [`Dispatcher::room`] if one has room by
    /// now; the others' lines wake it when they have.
    pub fn left_behind(&self, endpoints: &[EndpointId]) {
        if self.0.lines().have_room(endpoints) {
            self.0.room.notify_one();
        }
    }

    /// Waits for requests at hand, at most `patience`; later ones are dropped and sent again when
    /// their lease ends.
    pub async fn drain(&self, patience: Duration) {
        self.0.tasks.close();
        if tokio::time::timeout(patience, self.0.tasks.wait()).await.is_err() {
            tracing::warn!(
                requests = self.0.tasks.len(),
                "requests still at hand are dropped; they will be sent again"
            );
            self.0.dropping.cancel();
            self.0.tasks.wait().await;
        }
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self, slot: Slot, job: Job) {
        let Some(turns) = self.lines().turns(slot.endpoint) else { return };
        let turn = tokio::select! {
            biased;
            () = self.stopping.cancelled() => None,
            () = turns.back.cancelled() => None,
            // First the endpoint's own limit: what waits for it takes nothing from the others.
            turn = async { (turns.in_flight.acquire().await, self.in_flight.acquire().await) } => Some(turn),
        };
        let end = match turn {
            Some((own, Ok(of_all))) if self.clock.now() + self.timeout <= job.leased_until => {
                let attempt = self.send(slot.endpoint, &job, of_all).await;
                drop(own);
                End::Attempted(attempt)
            }
            _ => End::GivenBack,
        };
        drop(self.results.send((Finished { job, end }, Some(slot))).await);
    }

    /// Makes the request, and sees whether its endpoint is well.
    async fn send(&self, endpoint: EndpointId, job: &Job, of_all: SemaphorePermit<'_>) -> Attempt {
        let mut sending = std::pin::pin!(self.webhooks.send(job));
        let attempt = match timeout(self.limits.slow_after, &mut sending).await {
            Ok(attempt) => attempt,
            Err(_) => {
                // The others' place, unless too many are slow already.
                let slow = self.slow.try_acquire();
                let of_all = if slow.is_ok() {
                    drop(of_all);
                    None
                } else {
                    Some(of_all)
                };
                let left = self.limits.stuck_after.saturating_sub(self.limits.slow_after);
                let attempt = match timeout(left, &mut sending).await {
                    Ok(attempt) => attempt,
                    Err(_) => {
                        self.lines().broke_down(endpoint);
                        sending.await
                    }
                };
                drop((slow, of_all));
                attempt
            }
        };
        let wake = match attempt.reply {
            Reply::Answer { .. } => self.lines().answered(endpoint),
            Reply::NoAnswer { .. } => {
                self.lines().broke_down(endpoint);
                false
            }
        };
        if wake {
            self.room.notify_one();
        }
        attempt
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let wake = self.shared.lines().release(self.endpoint);
        if wake {
            self.shared.room.notify_one();
        }
    }
}
