//! So many a second, with a burst of one second's worth.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// One rate limit.
#[derive(Debug)]
pub struct RateLimit {
    limiter: Limiter,
    per_second: NonZeroU32,
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
        Self { limiter: RateLimiter::direct(Quota::per_second(per_second)).with_middleware(), per_second }
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
        let left = self.limiter.check().map(|state| state.remaining_burst_capacity());
        left.map_err(|until| Exceeded {
            per_second: self.per_second(),
            wait: until.wait_time_from(self.limiter.clock().now()),
        })
    }
}
