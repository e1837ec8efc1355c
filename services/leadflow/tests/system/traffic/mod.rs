//! What goes on while replicas are restarted or replaced, and must not notice: suppliers post, front ends read and write, cards are
//! charged, webhooks arrive. Nobody of them tries anything twice.

mod plain;
mod receiver;
mod verify;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;
use leadflow_testkit::{cluster::ClusterOptions, wait};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    cards::shop::{Buyer, Shop},
    client::Answer,
    world::{PATIENCE, World, lead, options},
};
use plain::Plain;
use receiver::Receiver;

/// The roles in the order in which they are replaced.
pub const ROLES: [&str; 6] = ["accounts", "distribution", "billing", "notifier", "ingest", "bff"];
/// What the manifests give a role to end by itself.
pub const GRACE: Duration = Duration::from_secs(60);
/// Between two requests of one client.
const PACE: Duration = Duration::from_millis(100);
/// Suppliers.
const SUPPLIERS: usize = 5;
/// Answers that everybody gets before somebody looks whether all goes on.
const SOME: usize = 3;

/// What clients do with their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// Nearly all keep them.
    Kept,
    /// Each is for one request: what a release bears that closes connections without a word.
    New,
}

/// Two replicas of every role, and a balancer in front of those that are public.
pub fn doubled() -> ClusterOptions {
    let mut options = options();
    options.roles = ROLES.map(|role| (role, 2)).to_vec();
    options.roles.push(("sandbox", 1));
    options.balanced = true;
    // A folder for the processes' logs.
    options.logs = std::env::var_os("TRAFFIC_LOGS").map(Into::into);
    for name in ["READS_PER_MINUTE", "WRITES_PER_MINUTE", "SIGN_INS_PER_MINUTE", "PASSWORDS_PER_QUARTER_HOUR"] {
        options.env.push((name.into(), "100000".into()));
    }
    // Slow is no failure.
    options.env.push(("BFF_CALL_TIMEOUT_MS".into(), "20000".into()));
    options
}

const SELLERS_PAGES: [&str; 5] = ["/api/campaigns", "/api/buyers", "/api/leads", "/api/suppliers", "/api/auth/session"];
const BUYERS_PAGES: [&str; 4] =
    ["/api/leads", "/api/payments/wallet", "/api/notifications/deliveries", "/api/notifications/endpoints"];

/// Everybody who is at it.
pub struct Traffic {
    shared: Arc<Shared>,
    working: JoinSet<()>,
    /// Of each client, how many requests are over.
    done: Vec<Arc<AtomicUsize>>,
    receiver: Receiver,
    /// Their turns must come out even: they have money for everything.
    even: Vec<Buyer>,
    recharged: Vec<Buyer>,
}

struct Shared {
    fair: Shop,
    cards: Shop,
    stop: AtomicBool,
    next: AtomicUsize,
    /// The last 2xx answer to each lead, and its number.
    answers: Mutex<HashMap<String, (usize, Value)>>,
    /// Answers that front ends got.
    answered: AtomicUsize,
    /// Keys of top-ups that were answered.
    filled: AtomicUsize,
    /// The last name that each buyer was given.
    names: Mutex<HashMap<String, String>>,
    /// What must never be.
    failures: Mutex<Vec<String>>,
}

impl Traffic {
    /// Opens two shops, and begins.
    pub async fn start(world: &World, connections: Connections) -> Self {
        let receiver = Receiver::start().await;
        let (fair, cards) = (Shop::open(world, "fair", 10).await, Shop::open(world, "cards", 10).await);
        let (mut even, mut recharged) = (Vec::new(), Vec::new());
        for n in 0..3 {
            let name = format!("even{n}");
            let buyer = fair.buyer(&name, "pm_card_visa").await;
            fair.credit(&buyer, 1_000_000).await;
            fair.webhook(&buyer, &receiver.url(&name)).await;
            even.push(buyer);
        }
        for n in 0..2 {
            let name = format!("low{n}");
            let buyer = cards.buyer(&name, "pm_card_visa").await;
            cards.webhook(&buyer, &receiver.url(&name)).await;
            cards.credit(&buyer, 30).await;
            let change = json!({
                "autoRechargeEnabled": true, "autoRechargeThreshold": 30, "autoRechargeAmount": 200, "autoRechargeMostADay": 20,
            });
            cards.recharge(&buyer, &change).await;
            recharged.push(buyer);
        }
        let filling = cards.buyer("fills", "pm_card_visa").await;
        cards.webhook(&filling, &receiver.url("fills")).await;
        let shared = Arc::new(Shared {
            fair,
            cards,
            stop: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            answers: Mutex::default(),
            answered: AtomicUsize::new(0),
            filled: AtomicUsize::new(0),
            names: Mutex::default(),
            failures: Mutex::default(),
        });
        let (ingest, api) = (world.cluster.front("ingest"), world.cluster.front("bff"));
        let (mut working, mut done) = (JoinSet::new(), Vec::new());
        let kept = connections == Connections::Kept;
        let mut client = |base: &str, keep: bool| {
            let client = Plain::new(base, keep);
            done.push(client.done.clone());
            client
        };
        for n in 0..SUPPLIERS {
            working.spawn(shared.clone().supply(client(&ingest, kept && n > 0)));
        }
        if kept {
            // The API passes leads on, too, on connections that it keeps.
            working.spawn(shared.clone().supply(client(&api, true)));
        }
        working.spawn(shared.clone().look(client(&api, kept), shared.fair.seller().to_owned(), &SELLERS_PAGES));
        working.spawn(shared.clone().look(client(&api, false), even[0].token.clone(), &BUYERS_PAGES));
        working.spawn(shared.clone().fill(client(&api, kept), filling));
        working.spawn(shared.clone().rename(client(&api, kept), even.clone()));
        Self { shared, working, done, receiver, even, recharged }
    }

    /// Waits until everybody has got some more answers, the first of which may be to what was sent before.
    ///
    /// # Panics
    /// When anybody was failed.
    pub async fn goes_on(&self, when: &str) {
        let count = || self.done.iter().map(|done| done.load(Ordering::Relaxed));
        let before: Vec<_> = count().collect();
        wait::until(format!("{when}: everybody is answered"), PATIENCE, async || {
            self.nobody_was_failed(when);
            count().zip(&before).all(|(now, before)| now >= before + SOME)
        })
        .await;
    }

    fn nobody_was_failed(&self, when: &str) {
        let failures = self.shared.failures.lock().unwrap();
        assert!(failures.is_empty(), "{when}: {} failures: {:#?}", failures.len(), &failures[..failures.len().min(8)]);
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// The answer if it is a 2xx; anything else is what nobody may see.
    fn fine(&self, what: &str, answer: Result<Answer, String>) -> Option<Value> {
        let fault = match answer {
            Ok(answer) if answer.status.is_success() => return Some(answer.body),
            Ok(answer) => format!("{what}: {} {}", answer.status, answer.body),
            Err(error) => format!("{what}: {error}"),
        };
        self.failures.lock().unwrap().push(fault);
        None
    }

    /// A supplier: two leads of three to the one shop, one to the other; with and without a key, waiting and not; and every tenth twice.
    async fn supply(self: Arc<Self>, mut client: Plain) {
        while self.goes_on() {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let shop = if n.is_multiple_of(3) { &self.cards } else { &self.fair };
            let (body, key) = (lead(shop.campaign, n), format!("order-{n}"));
            let mut headers = vec![("x-api-key", shop.api_key())];
            if n.is_multiple_of(2) {
                headers.push(("idempotency-key", key.as_str()));
            }
            if n.is_multiple_of(5) {
                headers.push(("prefer", "respond-async"));
            }
            let mut first = None;
            for _ in 0..if n.is_multiple_of(10) { 2 } else { 1 } {
                let answer = client.send(Method::POST, "/api/leads/ingest", &headers, Some(&body)).await;
                let Some(answer) = self.fine(&format!("lead {n}"), answer) else { break };
                let id = answer["leadId"].as_str().expect("a lead has an id").to_owned();
                if first.get_or_insert_with(|| id.clone()) != &id {
                    self.failures.lock().unwrap().push(format!("{key} became two leads"));
                }
                self.answers.lock().unwrap().insert(id, (n, answer));
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// A front end that shows these pages again and again.
    async fn look(self: Arc<Self>, mut client: Plain, token: String, pages: &'static [&'static str]) {
        let bearer = format!("Bearer {token}");
        for page in pages.iter().cycle() {
            if !self.goes_on() {
                return;
            }
            let answer = client.send(Method::GET, page, &[("authorization", &bearer)], None).await;
            if self.fine(page, answer).is_some() {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// A buyer who fills his wallet from his card.
    async fn fill(self: Arc<Self>, mut client: Plain, buyer: Buyer) {
        let bearer = format!("Bearer {}", buyer.token);
        for n in 0_u32.. {
            if !self.goes_on() {
                return;
            }
            let key = format!("fill-{n}");
            let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
            let body = json!({ "amount": 10 + n % 20 });
            let answer = client.send(Method::POST, "/api/payments/wallet", &headers, Some(&body)).await;
            if self.fine(&key, answer).is_some() {
                self.filled.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(PACE * 3).await;
        }
    }

    /// A seller who gives his buyers other names.
    async fn rename(self: Arc<Self>, mut client: Plain, buyers: Vec<Buyer>) {
        let bearer = format!("Bearer {}", self.fair.seller());
        for (n, buyer) in buyers.iter().cycle().enumerate() {
            if !self.goes_on() {
                return;
            }
            let (path, name) = (format!("/api/buyers/{}", buyer.id), format!("name {n}"));
            let body = json!({ "companyName": name });
            let answer = client.send(Method::PUT, &path, &[("authorization", &bearer)], Some(&body)).await;
            if self.fine(&path, answer).is_some() {
                self.names.lock().unwrap().insert(buyer.id.clone(), name);
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(PACE * 2).await;
        }
    }
}
