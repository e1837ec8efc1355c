//! Stripe's webhooks on their way: they come late, twice, in any order, or never.

use leadflow_sandbox::stripe::Core;
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Post {
    read: u64,
    bag: Vec<Value>,
}

impl Post {
    /// What Stripe has sent since the last time.
    pub fn collect(&mut self, core: &Core) {
        for (place, event) in core.events_after(self.read) {
            self.read = place;
            self.bag.push(event);
        }
    }

    /// One of those on the way; it stays there if it comes again.
    pub fn take(&mut self, event: usize, again: bool) -> Option<Value> {
        if self.bag.is_empty() {
            return None;
        }
        let place = event % self.bag.len();
        Some(if again { self.bag[place].clone() } else { self.bag.swap_remove(place) })
    }

    /// It could not be worked off, and is tried again later.
    pub fn keep(&mut self, event: Value) {
        self.bag.push(event);
    }

    /// The newest one.
    pub fn pop(&mut self) -> Option<Value> {
        self.bag.pop()
    }
}
