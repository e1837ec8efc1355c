//! What goes on while faults happen.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use leadflow_kernel::PaymentId;
use serde_json::Value;
use tokio::task::JoinSet;

use super::shop::{Buyer, PAUSE, Shop};

/// Suppliers posting at once.
const POSTERS: usize = 6;
/// Top-ups of a buyer at once.
const TOP_UPS: usize = 2;

pub struct Load {
    shop: Shop,
    stop: AtomicBool,
    next_lead: AtomicUsize,
    /// The last answer of each lead.
    answers: Mutex<HashMap<String, Value>>,
    /// Of each key the payment that it was.
    filled: Mutex<HashMap<String, PaymentId>>,
    returned: Mutex<HashSet<String>>,
}

impl Load {
    pub fn new(shop: Shop) -> Self {
        Self {
            shop,
            stop: AtomicBool::new(false),
            next_lead: AtomicUsize::new(0),
            answers: Mutex::default(),
            filled: Mutex::default(),
            returned: Mutex::default(),
        }
    }

    /// Some fill their wallets themselves, for others it is done; leads are posted, and given back. What was begun is
    /// repeated until it is answered, also after [`stop`](Self::stop).
    pub fn start(self: &Arc<Self>, filling: &[Buyer], recharged: &[Buyer]) -> JoinSet<()> {
        let mut working = JoinSet::new();
        for _ in 0..POSTERS {
            let load = self.clone();
            working.spawn(async move { load.post().await });
        }
        for buyer in filling {
            for lane in 0..TOP_UPS {
                let (load, buyer) = (self.clone(), buyer.clone());
                working.spawn(async move { load.fill(&buyer, lane).await });
            }
        }
        let (load, buyers) = (self.clone(), [filling, recharged].concat());
        working.spawn(async move { load.give_back(&buyers).await });
        working
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Top-ups that were answered.
    pub fn filled(&self) -> usize {
        self.filled.lock().unwrap().len()
    }

    /// The payments that they were: as many as keys.
    pub fn payments(&self) -> HashSet<PaymentId> {
        let filled = self.filled.lock().unwrap();
        let payments: HashSet<PaymentId> = filled.values().copied().collect();
        assert_eq!(payments.len(), filled.len(), "each key is a payment of its own");
        payments
    }

    /// Leads that were taken back.
    pub fn returned(&self) -> usize {
        self.returned.lock().unwrap().len()
    }

    pub fn answers(&self) -> HashMap<String, Value> {
        self.answers.lock().unwrap().clone()
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    async fn post(&self) {
        while self.goes_on() {
            let (id, answer) = self.shop.lead(self.next_lead.fetch_add(1, Ordering::Relaxed)).await;
            self.answers.lock().unwrap().insert(id, answer);
            // A supplier's own pace.
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn fill(&self, buyer: &Buyer, lane: usize) {
        for n in 0_u32.. {
            if !self.goes_on() {
                return;
            }
            let key = format!("fill-{}-{lane}-{n}", buyer.id);
            let payment = self.shop.top_up(buyer, &key, 10 + n % 20).await.parse().unwrap();
            self.filled.lock().unwrap().insert(key, payment);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn give_back(&self, buyers: &[Buyer]) {
        for buyer in buyers.iter().cycle() {
            if !self.goes_on() {
                return;
            }
            if let Some(assignment) = self.shop.bought(buyer).await {
                self.shop.give_back(buyer, &assignment).await;
                self.returned.lock().unwrap().insert(assignment);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
