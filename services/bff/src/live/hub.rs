//! Who listens, and who of them is told what.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use leadflow_kernel::{BuyerId, SellerId, SupplierId};
use leadflow_messaging::Message;
use leadflow_platform::Shutdown;
use tokio::sync::watch;

use super::{
    decode::{self, Buyers, Reach},
    event::Happening,
    queue::{Opening, Queue},
};

/// What one replica bears, and its pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSettings {
    /// Listeners at once.
    pub most: usize,
    /// Of one user.
    pub most_per_user: usize,
    /// Silence after which a listener is told that the connection stands.
    pub heartbeat: Duration,
    /// Between two looks at whether the listeners' sessions are still good.
    pub session_check: Duration,
}

/// Who of a tenant listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Somebody of the seller's team.
    Seller,
    /// A buyer.
    Buyer(BuyerId),
    /// A supplier.
    Supplier(SupplierId),
}

impl Party {
    fn may_hear(self, reach: Reach) -> bool {
        match self {
            Self::Seller => true,
            Self::Buyer(me) => match reach.buyers {
                Buyers::Nobody => false,
                Buyers::One(buyer) => buyer == me,
                Buyers::All => true,
            },
            Self::Supplier(me) => reach.supplier == Some(me),
        }
    }
}

/// Why nobody more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The user has as many as he may.
    User,
    /// The replica has as many as it bears.
    Replica,
}

struct Ear {
    number: u64,
    party: Party,
    session: String,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Room {
    tenants: HashMap<SellerId, Vec<Ear>>,
    users: HashMap<String, usize>,
    all: usize,
    /// Whether events are heard now.
    listening: bool,
}

/// The listeners of this replica. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Parts>);

struct Parts {
    settings: LiveSettings,
    shutdown: Shutdown,
    room: Mutex<Room>,
    numbers: AtomicU64,
    /// How many listen.
    count: watch::Sender<usize>,
}

impl Live {
    /// Nobody yet; every stream ends at `shutdown`.
    #[must_use]
    pub fn new(settings: LiveSettings, shutdown: Shutdown) -> Self {
        let (room, count) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Parts { settings, shutdown, room, numbers: AtomicU64::new(0), count }))
    }

    /// Lets somebody listen. `again`: he has listened before, and may have missed something.
    ///
    /// # Errors
    /// [`Full`].
    pub fn listen(
        &self,
        tenant: SellerId,
        party: Party,
        user: String,
        session: String,
        again: bool,
    ) -> Result<Listener, Full> {
        let queue = Arc::new(Queue::new(if again { Opening::Reload } else { Opening::Ready }));
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let mut room = self.room();
        if room.users.get(&user).is_some_and(|listening| *listening >= self.0.settings.most_per_user) {
            return Err(Full::User);
        }
        if room.all >= self.0.settings.most {
            return Err(Full::Replica);
        }
        *room.users.entry(user.clone()).or_default() += 1;
        room.all += 1;
        if room.listening {
            queue.listening();
        }
        room.tenants.entry(tenant).or_default().push(Ear { number, party, session, queue: Arc::clone(&queue) });
        self.0.count.send_replace(room.all);
        drop(room);
        Ok(Listener { live: self.clone(), tenant, user, number, queue })
    }

    /// Tells an event to those who may hear it.
    pub(super) fn tell(&self, message: &Message) {
        let (tenant, list) = match decode::read(message) {
            Ok(Some(told)) => told,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(event_id = %message.id, kind = %message.kind, %error, "an event cannot be read");
                return;
            }
        };
        let room = self.room();
        let Some(ears) = room.tenants.get(&tenant) else { return };
        for (reach, happening) in list {
            let mut hearing = ears.iter().filter(|ear| ear.party.may_hear(reach)).peekable();
            if hearing.peek().is_none() {
                continue;
            }
            let frame = frame(&happening, Some(&message.id.to_string()));
            hearing.for_each(|ear| ear.queue.push(&frame));
        }
    }

    /// Events are heard from now on, after a beginning or a gap.
    pub(super) fn listening(&self) {
        let mut room = self.room();
        room.listening = true;
        room.tenants.values().flatten().for_each(|ear| ear.queue.listening());
    }

    /// Events are not heard any more.
    pub(super) fn deaf(&self) {
        self.room().listening = false;
    }

    /// The sessions of those who listen.
    pub(super) fn sessions(&self) -> Vec<String> {
        let room = self.room();
        let mut sessions: Vec<_> = room.tenants.values().flatten().map(|ear| ear.session.clone()).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// Ends the streams of these sessions.
    pub(super) fn end(&self, sessions: &[&str]) {
        let room = self.room();
        let ears = room.tenants.values().flatten();
        ears.filter(|ear| sessions.contains(&ear.session.as_str())).for_each(|ear| ear.queue.end());
    }

    /// Follows how many listen.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.0.count.subscribe()
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(super) fn settings(&self) -> LiveSettings {
        self.0.settings
    }

    // Nothing in here panics while it holds the lock.
    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who listens, until this is dropped.
pub struct Listener {
    pub(super) live: Live,
    tenant: SellerId,
    user: String,
    number: u64,
    pub(super) queue: Arc<Queue>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut room = self.live.room();
        if let Some(ears) = room.tenants.get_mut(&self.tenant) {
            ears.retain(|ear| ear.number != self.number);
            if ears.is_empty() {
                room.tenants.remove(&self.tenant);
            }
        }
        if let Some(listening) = room.users.get_mut(&self.user) {
            *listening -= 1;
            if *listening == 0 {
                room.users.remove(&self.user);
            }
        }
        room.all -= 1;
        self.live.0.count.send_replace(room.all);
    }
}

/// As it is sent. JSON has no line breaks of its own.
pub(super) fn frame(happening: &Happening, id: Option<&str>) -> Bytes {
    let data = serde_json::to_string(happening).unwrap_or_default();
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {}\ndata: {data}\n\n", happening.name()).into()
}

#[cfg(test)]
mod tests;
