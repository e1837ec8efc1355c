//! Limits of callers whose key is not known, by address: who guesses keys, or calls with one that was revoked, gets no
//! further than this. A caller whose key is good is not counted, wherever it calls from.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{limit::RateLimit, lock};

/// Addresses remembered at most; beyond that all are forgotten, which refills their limits.
const MOST: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Strangers {
    limits: Mutex<HashMap<String, Arc<RateLimit>>>,
    per_second: u32,
}

impl Strangers {
    /// Each address may call so often a second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { limits: Mutex::default(), per_second }
    }

    /// The limit of an address.
    #[must_use]
    pub fn of(&self, address: &str) -> Arc<RateLimit> {
        let mut limits = lock(&self.limits);
        if let Some(limit) = limits.get(address) {
            return limit.clone();
        }
        if limits.len() >= MOST {
            limits.clear();
        }
        limits.entry(address.to_owned()).or_insert_with(|| Arc::new(RateLimit::new(self.per_second))).clone()
    }

    /// What each address was let through since this was asked last.
    #[must_use]
    pub fn to_tell(&self) -> Vec<(String, u32)> {
        let limits = lock(&self.limits);
        let told = limits.iter().map(|(address, limit)| (address, limit.to_tell())).filter(|(_, count)| *count > 0);
        told.map(|(address, count)| (address.clone(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Strangers};

    #[test]
    fn an_address_has_a_limit_of_its_own_and_not_too_many_are_remembered() {
        let strangers = Strangers::new(1);
        let take = |address: &str| strangers.of(address).take().is_ok();
        assert_eq!((take("1.1.1.1"), take("1.1.1.1"), take("2.2.2.2")), (true, false, true));
        assert_eq!(strangers.to_tell().len(), 2);
        for n in 0..MOST {
            let _ = strangers.of(&n.to_string());
        }
        assert!(super::lock(&strangers.limits).len() <= MOST);
    }
}
