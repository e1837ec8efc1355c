//! So many a second of all gateways together, with a burst of one second's worth.
//!
//! Each gateway has the whole limit in memory and tells the others, some ten times a second, what it let through
//! ([`crate::outbound::taken`]); they pay for that out of theirs before they let more through. So together they let through what
//! the limit says, and at most what each can within a tenth of a second more; one whose messages are lost keeps to it alone.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock, QuantaInstant},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// One rate limit.
#[derive(Debug)]
pub struct RateLimit {
    limiter: Limiter,
    per_second: NonZeroU32,
    /// Let through here and not told yet.
    here: AtomicU32,
    /// Let through elsewhere and not paid for yet: a second's worth at most.
    elsewhere: AtomicU32,
}

/// Too many; how long until the next one is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// How many a second are.
    pub per_second: u32,
    /// Until then.
    pub wait: Duration,
}

impl RateLimit {
    /// `per_second` of them; 0 counts as 1.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::direct(Quota::per_second(per_second)).with_middleware(),
            per_second,
            here: AtomicU32::new(0),
            elsewhere: AtomicU32::new(0),
        }
    }

    /// How many a second it lets through.
    #[must_use]
    pub const fn per_second(&self) -> u32 {
        self.per_second.get()
    }

    /// Takes one; says how many are left.
    ///
    /// # Errors
    /// [`Exceeded`] when there is none left now.
    pub fn take(&self) -> Result<u32, Exceeded> {
        self.pay()?;
        let left = self.limiter.check().map_err(|until| self.exceeded(&until))?.remaining_burst_capacity();
        self.here.fetch_add(1, Ordering::Relaxed);
        Ok(left)
    }

    /// Counts what another gateway let through.
    pub fn taken_elsewhere(&self, count: u32) {
        let more = |owed: u32| Some(owed.saturating_add(count).min(self.per_second()));
        // It never fails: there is always a next value.
        let _ = self.elsewhere.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
    }

    /// What was let through here since this was asked last.
    pub fn to_tell(&self) -> u32 {
        self.here.swap(0, Ordering::Relaxed)
    }

    fn pay(&self) -> Result<(), Exceeded> {
        let Some(owed) = NonZeroU32::new(self.elsewhere.swap(0, Ordering::AcqRel)) else { return Ok(()) };
        match self.limiter.check_n(owed) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(until)) => {
                self.taken_elsewhere(owed.get());
                Err(self.exceeded(&until))
            }
            // More than a burst is never owed.
            Err(_) => Ok(()),
        }
    }

    fn exceeded(&self, until: &NotUntil<QuantaInstant>) -> Exceeded {
        Exceeded { per_second: self.per_second(), wait: until.wait_time_from(self.limiter.clock().now()) }
    }
}

#[cfg(test)]
mod tests {
    use super::RateLimit;

    #[test]
    fn what_others_let_through_is_paid_for_first() {
        let limit = RateLimit::new(1);
        limit.taken_elsewhere(1);
        assert_eq!(limit.take().map_err(|exceeded| exceeded.per_second), Err(1), "nothing is left of the second's one");
        assert_eq!(limit.to_tell(), 0, "what was not let through is not told");

        let limit = RateLimit::new(1_000);
        limit.taken_elsewhere(u32::MAX);
        assert!(limit.take().is_err(), "a second's worth at most is owed, and that is all there is");
    }

    #[test]
    fn what_is_let_through_is_told_once() {
        let limit = RateLimit::new(3);
        let taken = (0..5).filter(|_| limit.take().is_ok()).count();
        assert_eq!(usize::try_from(limit.to_tell()).unwrap(), taken);
        assert_eq!(limit.to_tell(), 0);
    }
}
