//! When to try the short way that only works while nobody else is at it.

use std::sync::atomic::{AtomicU32, Ordering};

/// The most attempts that are left out after failures.
const LONGEST_REST: u32 = 32;

/// Decides whether an optimistic way (act on what was seen, compare before writing) is worth a try. After each failure in a row it is left
/// out 1, 3, 7, 15, 31, then 32 times: where others change the same things all the time, it would only be work done twice.
#[derive(Debug, Default)]
pub struct Optimism {
    resting: AtomicU32,
    rest: AtomicU32,
}

impl Optimism {
    /// Whether to try it this time.
    pub fn tries(&self) -> bool {
        self.resting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }

    /// It worked.
    pub fn right(&self) {
        self.rest.store(0, Ordering::Relaxed);
    }

    /// It did not: others were at it.
    pub fn wrong(&self) {
        let rest = (self.rest.load(Ordering::Relaxed) * 2 + 1).min(LONGEST_REST);
        self.rest.store(rest, Ordering::Relaxed);
        self.resting.store(rest, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_longer_after_each_failure_and_not_at_all_after_success() {
        let optimism = Optimism::default();
        let skipped = || (0..1_000).take_while(|_| !optimism.tries()).count();
        assert_eq!(skipped(), 0);
        let rests = [1, 3, 7, 15, 31, 32, 32].map(|expected| {
            optimism.wrong();
            (skipped(), expected)
        });
        assert!(rests.iter().all(|(seen, expected)| seen == expected), "{rests:?}");
        optimism.right();
        optimism.wrong();
        assert_eq!(skipped(), 1);
    }
}
