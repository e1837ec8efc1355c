//! Requests that wait for a decision. Several may wait for one lead: copies of one request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use leadflow_contracts::common::Decision;
use leadflow_kernel::LeadId;
use tokio::sync::oneshot;

use super::lock;

/// Enough for the cores of a large machine not to meet.
const SHARDS: usize = 32;

type Shard = Mutex<HashMap<LeadId, Waiting>>;

#[derive(Debug)]
struct Waiting {
    body_hash: [u8; 32],
    senders: Vec<(u64, oneshot::Sender<Decision>)>,
}

/// All who wait at this gateway.
#[derive(Debug, Clone)]
pub struct Waiters {
    shards: Arc<[Shard]>,
    next: Arc<AtomicU64>,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), next: Arc::default() }
    }
}

/// Another request with the same idempotency key and another body waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherBody;

impl Waiters {
    /// Begins to wait; do so before publishing, or the answer may come too early.
    ///
    /// # Errors
    /// [`OtherBody`]: decisions name only the lead, so two bodies of one lead must not wait at once.
    pub fn register(&self, lead_id: LeadId, body_hash: [u8; 32]) -> Result<Waiter, OtherBody> {
        let (sender, receiver) = oneshot::channel();
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let mut shard = lock(self.shard(lead_id));
        let waiting = shard.entry(lead_id).or_insert_with(|| Waiting { body_hash, senders: Vec::with_capacity(1) });
        if waiting.body_hash != body_hash {
            return Err(OtherBody);
        }
        waiting.senders.push((token, sender));
        drop(shard);
        Ok(Waiter { waiters: self.clone(), lead_id, token, receiver })
    }

    /// Hands a decision to all who wait for it; nobody may.
    pub fn resolve(&self, lead_id: LeadId, decision: &Decision) {
        let waiting = lock(self.shard(lead_id)).remove(&lead_id);
        for (_, sender) in waiting.into_iter().flat_map(|waiting| waiting.senders) {
            // Whoever went away in the meantime needs no answer.
            let _ = sender.send(decision.clone());
        }
    }

    /// How many leads are waited for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget(&self, lead_id: LeadId, token: u64) {
        let mut shard = lock(self.shard(lead_id));
        if let Some(waiting) = shard.get_mut(&lead_id) {
            waiting.senders.retain(|(other, _)| *other != token);
            if waiting.senders.is_empty() {
                shard.remove(&lead_id);
            }
        }
    }

    fn shard(&self, lead_id: LeadId) -> &Shard {
        // The last byte is random in both kinds of ids.
        &self.shards[usize::from(lead_id.as_bytes()[15]) % SHARDS]
    }
}

/// One request's place; dropped (the caller went away, the time is up), it is given up.
#[derive(Debug)]
pub struct Waiter {
    waiters: Waiters,
    lead_id: LeadId,
    token: u64,
    receiver: oneshot::Receiver<Decision>,
}

impl Waiter {
    /// The decision, when it comes.
    pub async fn decision(&mut self) -> Option<Decision> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiters.forget(self.lead_id, self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_for_a_lead_get_its_decision() {
        let (waiters, lead, other) = (Waiters::default(), LeadId::new(), LeadId::new());
        let mut all: Vec<_> = (0..3).map(|_| waiters.register(lead, [1; 32]).unwrap()).collect();
        let _elsewhere = waiters.register(other, [1; 32]).unwrap();
        waiters.resolve(lead, &Decision { buyers_assigned: 2, ..Decision::default() });
        for waiter in &mut all {
            assert_eq!(waiter.decision().await.map(|decision| decision.buyers_assigned), Some(2));
        }
        assert_eq!(waiters.len(), 1);
    }

    #[tokio::test]
    async fn one_who_goes_away_leaves_nothing_and_takes_nobody_along() {
        let (waiters, lead) = (Waiters::default(), LeadId::new());
        let mut stays = waiters.register(lead, [1; 32]).unwrap();
        drop(waiters.register(lead, [1; 32]).unwrap());
        waiters.resolve(lead, &Decision::default());
        assert!(stays.decision().await.is_some());
        drop(waiters.register(lead, [2; 32]).unwrap());
        assert!(waiters.is_empty());
        // A late drop must not remove those who came after the decision.
        let mut again = waiters.register(lead, [3; 32]).unwrap();
        drop(stays);
        waiters.resolve(lead, &Decision::default());
        assert!(again.decision().await.is_some());
    }

    #[tokio::test]
    async fn two_bodies_of_one_lead_never_wait_at_once() {
        let (waiters, lead) = (Waiters::default(), LeadId::new());
        let _first = waiters.register(lead, [1; 32]).unwrap();
        assert_eq!(waiters.register(lead, [2; 32]).err(), Some(OtherBody));
    }
}
