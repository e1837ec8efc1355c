//! Who is sent to now: bounded at once, per endpoint and in memory.
//!
//! A delivery needs a [`Slot`] to be in memory at all; without one it stays in the table. Each
//! endpoint has a line of its own, so one that hangs fills its line and nobody else's, and an
//! endpoint whose last attempt failed has a very short one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use leadflow_kernel::{Clock, EndpointId};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::webhook::Webhooks;
use crate::{
    config::Limits,
    model::{End, Endpoint, Finished, Job},
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
    results: mpsc::Sender<Result>,
    room: Notify,
    tasks: TaskTracker,
    /// No new requests.
    stopping: CancellationToken,
    /// Requests at hand are dropped.
    dropping: CancellationToken,
}

#[derive(Default)]
struct Lines {
    held: usize,
    by_endpoint: HashMap<EndpointId, Line>,
}

struct Line {
    held: usize,
    most: usize,
    in_flight: Arc<Semaphore>,
    /// Permits that there are, and shall be: what is in flight gives back only when it ends.
    permits: usize,
    wanted: usize,
}

impl Line {
    fn new(wanted: usize) -> Self {
        Self { held: 0, most: 0, in_flight: Arc::new(Semaphore::new(wanted)), permits: wanted, wanted }
    }

    /// Comes as near to what is wanted as what is in flight allows.
    fn adjust(&mut self) {
        if self.permits < self.wanted {
            self.in_flight.add_permits(self.wanted - self.permits);
            self.permits = self.wanted;
        } else {
            self.permits -= self.in_flight.forget_permits(self.permits - self.wanted);
        }
    }
}

/// Full enough that the table is not asked for more: it is asked again when a quarter is free, so
/// that it is asked for many rows at once and not for each as its place becomes free.
const fn is_full(held: usize, most: usize) -> bool {
    held >= most - most / 4
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

/// How full the lines are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// How many more deliveries fit; 0 until a quarter is free.
    pub room: usize,
    /// Endpoints whose line is full.
    pub full: Vec<EndpointId>,
    /// How many the others hold.
    pub held: Vec<(EndpointId, usize)>,
}

impl Dispatcher {
    /// Sends with `webhooks`; results go to the receiver. `stopping` ends the taking of new work.
    #[must_use]
    pub fn new(
        webhooks: Webhooks,
        clock: Arc<dyn Clock>,
        limits: Limits,
        timeout: Duration,
        stopping: CancellationToken,
    ) -> (Self, mpsc::Receiver<Result>) {
        let (results, receiver) = mpsc::channel(limits.held);
        let shared = Shared {
            webhooks,
            clock,
            limits,
            timeout,
            lines: Mutex::default(),
            in_flight: Semaphore::new(limits.in_flight),
            results,
            room: Notify::new(),
            tasks: TaskTracker::new(),
            stopping,
            dropping: CancellationToken::new(),
        };
        (Self(Arc::new(shared)), receiver)
    }

    /// A place in the endpoint's line, if there is one.
    #[must_use]
    pub fn reserve(&self, endpoint: &Endpoint) -> Option<Slot> {
        if self.0.stopping.is_cancelled() {
            return None;
        }
        let limits = &self.0.limits;
        let most = if endpoint.failing_since.is_some() { limits.held_when_failing } else { limits.held_per_endpoint };
        let mut lines = self.0.lines();
        if lines.held >= limits.held {
            return None;
        }
        let wanted = match usize::try_from(endpoint.concurrency) {
            Ok(asked @ 1..) => asked.min(limits.per_endpoint),
            _ => limits.per_endpoint,
        };
        let line = lines.by_endpoint.entry(endpoint.id).or_insert_with(|| Line::new(wanted));
        (line.most, line.wanted) = (most, wanted);
        line.adjust();
        if line.held >= most {
            return None;
        }
        line.held += 1;
        lines.held += 1;
        Some(Slot { shared: self.0.clone(), endpoint: endpoint.id })
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
        let lines = self.0.lines();
        let most = self.0.limits.held;
        let room = if is_full(lines.held, most) { 0 } else { most - lines.held };
        let mut load = Load { room, ..Load::default() };
        for (endpoint, line) in &lines.by_endpoint {
            if is_full(line.held, line.most) {
                load.full.push(*endpoint);
            } else {
                load.held.push((*endpoint, line.held));
            }
        }
        load
    }

    /// Returns when a full line has room again, or when it is told that the table has work.
    pub async fn room(&self) {
        self.0.room.notified().await;
    }

    /// Deliveries for these endpoints were left in the table. Wakes [`Dispatcher::room`] if one has room by
    /// now; the others' lines wake it when they have.
    pub fn left_behind(&self, endpoints: &[EndpointId]) {
        let lines = self.0.lines();
        let has_room = |id| lines.by_endpoint.get(id).is_none_or(|line| !is_full(line.held, line.most));
        if !is_full(lines.held, self.0.limits.held) && endpoints.iter().any(has_room) {
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
        let line = self.lines().by_endpoint.get(&slot.endpoint).map(|line| line.in_flight.clone());
        let Some(line) = line else { return };
        let turn = tokio::select! {
            biased;
            () = self.stopping.cancelled() => None,
            // First the endpoint's own limit: what waits for it takes nothing from the others.
            turn = async { (line.acquire().await, self.in_flight.acquire().await) } => Some(turn),
        };
        let end = match turn {
            Some(_) if self.clock.now() + self.timeout <= job.leased_until => {
                End::Attempted(self.webhooks.send(&job).await)
            }
            _ => End::GivenBack,
        };
        drop(turn);
        drop(self.results.send((Finished { job, end }, Some(slot))).await);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut lines = self.shared.lines();
        let most = self.shared.limits.held;
        let mut wake = is_full(lines.held, most) && !is_full(lines.held - 1, most);
        lines.held -= 1;
        if let Some(line) = lines.by_endpoint.get_mut(&self.endpoint) {
            wake |= is_full(line.held, line.most) && !is_full(line.held - 1, line.most);
            line.held -= 1;
            line.adjust();
            if line.held == 0 {
                lines.by_endpoint.remove(&self.endpoint);
            }
        }
        drop(lines);
        if wake {
            self.shared.room.notify_one();
        }
    }
}
