//! Events on their way to a webhook, and their signatures. Sending itself is done elsewhere.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::table::{Change, Row, Table};

/// The longest wait between two attempts.
const MAX_WAIT: TimeDelta = TimeDelta::seconds(60);
/// As long as Stripe tries.
const GIVE_UP: TimeDelta = TimeDelta::days(3);
/// An attempt that is not reported back by then is made again.
const LEASE: TimeDelta = TimeDelta::seconds(30);

/// How events are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Manners {
    /// Nothing is delivered until this is off again.
    pub hold: bool,
    /// What waits is delivered newest first.
    pub newest_first: bool,
    /// The next events that are never delivered.
    pub drop_next: u32,
    /// The next events that are delivered twice.
    pub duplicate_next: u32,
}

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// The event's id.
    id: String,
    since: DateTime<Utc>,
    attempts: u32,
    next_at: DateTime<Utc>,
    /// Times that it has to be delivered still.
    copies: u32,
}

impl Row for Delivery {
    const TABLE: &'static str = "delivery";

    fn id(&self) -> &str {
        &self.id
    }
}

/// What waits to be delivered.
#[derive(Debug, Clone, Default)]
pub(super) struct Webhooks {
    waiting: Table<Delivery>,
    /// There is somewhere to deliver to.
    pub(super) on: bool,
    pub(super) manners: Manners,
}

impl Webhooks {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn waits(&self, event: &str) -> bool {
        self.waiting.get(event).is_some()
    }

    pub(super) fn add(&mut self, event: &str, now: DateTime<Utc>) {
        if !self.on {
            return;
        }
        if self.manners.drop_next > 0 {
            self.manners.drop_next -= 1;
            return;
        }
        let mut copies = 1;
        if self.manners.duplicate_next > 0 {
            self.manners.duplicate_next -= 1;
            copies = 2;
        }
        self.waiting.insert(Delivery { id: event.to_owned(), since: now, attempts: 0, next_at: now, copies });
    }

    /// Puts an event on its way again.
    pub(super) fn again(&mut self, event: &str, now: DateTime<Utc>) {
        match self.waiting.get_mut(event) {
            Some(delivery) => delivery.next_at = now,
            None => {
                let delivery = Delivery { id: event.to_owned(), since: now, attempts: 0, next_at: now, copies: 1 };
                self.waiting.insert(delivery);
            }
        }
    }

    pub(super) fn forget(&mut self, event: &str) {
        self.waiting.remove(event);
    }

    /// Takes events that are due: they are not due again before an answer is told, or the lease is over.
    pub(super) fn take(&mut self, limit: usize, now: DateTime<Utc>) -> Vec<String> {
        if self.manners.hold {
            return Vec::new();
        }
        let due = self.waiting.iter().filter(|delivery| delivery.next_at <= now).map(|delivery| delivery.id.clone());
        let mut due: Vec<_> = due.collect();
        if self.manners.newest_first {
            due.reverse();
        }
        due.truncate(limit);
        for event in &due {
            if let Some(delivery) = self.waiting.get_mut(event) {
                delivery.next_at = now + LEASE;
            }
        }
        due
    }

    /// Notes how an attempt ended.
    pub(super) fn answered(&mut self, event: &str, taken: bool, now: DateTime<Utc>) {
        let Some(delivery) = self.waiting.get_mut(event) else { return };
        delivery.attempts += 1;
        if taken {
            delivery.copies = delivery.copies.saturating_sub(1);
            delivery.next_at = now;
        } else {
            let wait = TimeDelta::seconds(1 << delivery.attempts.min(6));
            delivery.next_at = now + wait.min(MAX_WAIT);
        }
        if delivery.copies == 0 || now - delivery.since > GIVE_UP {
            self.waiting.remove(event);
        }
    }

    /// When the next one is due, unless all are held back.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        (!self.manners.hold).then(|| self.waiting.iter().map(|delivery| delivery.next_at).min())?
    }

    pub(super) fn drain(&mut self, into: &mut Vec<Change>) {
        self.waiting.drain(into);
    }

    pub(super) fn dump(&self, into: &mut Vec<Change>) {
        self.waiting.dump(into);
    }

    pub(super) fn restore(&mut self, change: &Change) -> Result<bool, serde_json::Error> {
        self.waiting.restore(change)
    }
}

/// The `Stripe-Signature` of a payload: one signature for each secret, as while a secret is being replaced.
#[must_use]
pub fn signature(payload: &[u8], secrets: &[String], at: DateTime<Utc>) -> String {
    let time = at.timestamp();
    let mut header = format!("t={time}");
    for secret in secrets {
        // A key of any length is fine for HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        mac.update(time.to_string().as_bytes());
        mac.update(b".");
        mac.update(payload);
        header.push_str(",v1=");
        header.push_str(&hex::encode(mac.finalize().into_bytes()));
    }
    header
}
