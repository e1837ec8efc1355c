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
mod tests {
    use leadflow_contracts::{Event, common, events};
    use leadflow_kernel::EventId;

    use super::*;
    use crate::live::queue::Next;

    fn message<E: Event>(event: &E) -> Message {
        Message {
            id: EventId::new(),
            subject: event.subject(),
            kind: E::TYPE.to_owned(),
            traceparent: None,
            payload: event.encode_to_vec().into(),
            delivered: 1,
            sequence: 0,
        }
    }

    fn live() -> Live {
        let pause = Duration::from_secs(15);
        let settings = LiveSettings { most: 100, most_per_user: 1, heartbeat: pause, session_check: pause };
        Live::new(settings, Shutdown::new())
    }

    fn listener(live: &Live, tenant: SellerId, party: Party) -> Listener {
        live.listen(tenant, party, EventId::new().to_string(), "session".to_owned(), false).unwrap_or_else(|_| panic!())
    }

    /// The names of all that waits for a listener, and its text.
    async fn heard(listener: &Listener) -> (Vec<String>, String) {
        let mut text = String::new();
        listener.queue.end_after_what_waits();
        loop {
            match listener.queue.next().await {
                Next::Frame(frame) => text.push_str(std::str::from_utf8(&frame).unwrap()),
                Next::Opening(_) => {}
                Next::End => break,
            }
        }
        let names = text.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned).collect();
        (names, text)
    }

    #[tokio::test]
    async fn of_one_lead_each_party_hears_its_own_part() {
        let (live, tenant, winner, supplier) = (live(), SellerId::new(), BuyerId::new(), SupplierId::new());
        let listeners = [
            (tenant, Party::Seller),
            (tenant, Party::Buyer(winner)),
            (tenant, Party::Supplier(supplier)),
            (tenant, Party::Buyer(BuyerId::new())),
            (tenant, Party::Supplier(SupplierId::new())),
            (SellerId::new(), Party::Seller),
            (SellerId::new(), Party::Buyer(winner)),
            (SellerId::new(), Party::Supplier(supplier)),
        ]
        .map(|(tenant, party)| listener(&live, tenant, party));
        live.listening();
        let data = br#"{"firstName":"John","email":"john@example.com"}"#.as_slice();
        let price = Some(common::Money { amount: "25.00".to_owned(), currency: "USD".to_owned() });
        live.tell(&message(&events::LeadReceived {
            lead_id: "lead_1".to_owned(),
            seller_id: tenant.to_string(),
            supplier_id: supplier.to_string(),
            data_json: data.into(),
            raw_json: data.into(),
            reference: "john@example.com".to_owned(),
            ..Default::default()
        }));
        live.tell(&message(&events::LeadAssigned {
            lead_id: "lead_1".to_owned(),
            seller_id: tenant.to_string(),
            supplier_id: supplier.to_string(),
            data_json: data.into(),
            assignments: vec![events::Assignment { buyer_id: winner.to_string(), price, ..Default::default() }],
            ..Default::default()
        }));
        live.tell(&message(&events::DeliveryEnded {
            buyer_id: winner.to_string(),
            seller_id: tenant.to_string(),
            delivered: true,
            ..Default::default()
        }));
        // Of nobody: it is passed over.
        live.tell(&message(&events::WalletCredited::default()));
        let wanted: [&[&str]; 8] = [
            &["lead.received", "lead.decided", "lead.assigned", "delivery.succeeded"],
            &["lead.assigned", "delivery.succeeded"],
            &["lead.received", "lead.decided"],
            &[],
            &[],
            &[],
            &[],
            &[],
        ];
        for (at, listener) in listeners.iter().enumerate() {
            let (names, text) = heard(listener).await;
            assert_eq!(names, wanted[at], "listener {at}");
            assert!(!text.contains("John") && !text.contains("john@"), "{text}");
            assert!(at != 2 || !text.contains("buyer_"), "a supplier hears of a buyer: {text}");
        }
        drop(listeners);
        let room = live.room();
        assert_eq!((room.all, room.tenants.len(), room.users.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_user_and_a_replica_have_a_bound() {
        let live = live();
        let listen =
            |user: &str| live.listen(SellerId::new(), Party::Seller, user.to_owned(), "session".to_owned(), false);
        let first = listen("sam").unwrap_or_else(|_| panic!());
        assert_eq!(listen("sam").err(), Some(Full::User));
        let others: Vec<_> = (0..99).map(|number| listen(&number.to_string()).unwrap_or_else(|_| panic!())).collect();
        assert_eq!(listen("bea").err(), Some(Full::Replica));
        drop(first);
        assert!(listen("sam").is_ok());
        drop(others);
    }
}
