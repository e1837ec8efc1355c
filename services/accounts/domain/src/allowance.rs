//! How often something may be asked for.

use chrono::{DateTime, TimeDelta, Utc};

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowanceKind {
    /// Requests that read.
    Read,
    /// Requests that change something.
    Write,
    /// Signing in, registering, asking for or using codes and tokens.
    SignIn,
    /// What a payment provider tells.
    ProviderEvent,
    /// Passwords tried.
    Password,
    /// Mails asked for.
    Mail,
}

impl AllowanceKind {
    /// As stored in columns.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::SignIn => "SIGN_IN",
            Self::ProviderEvent => "PROVIDER_EVENT",
            Self::Password => "PASSWORD",
            Self::Mail => "MAIL",
        }
    }
}

/// So many permits in a window. They come back one by one, evenly over the window, so there is no moment at
/// which twice as many can be had.
///
/// All that is remembered is when every permit will be back (`full_at`). Taking one moves it by
/// [`Allowance::interval`], and is refused if it would be more than a window away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    permits: u32,
    window: TimeDelta,
}

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowanceState {
    /// Whether this request may pass.
    pub allowed: bool,
    /// Permits in a window.
    pub limit: u32,
    /// Requests that would pass now.
    pub remaining: u32,
    /// Seconds until all permits are back; for a refused request, until one is.
    pub reset_seconds: u32,
}

impl Allowance {
    /// `permits` (at least one) in every `window` (at least a second).
    #[must_use]
    pub fn new(permits: u32, window: TimeDelta) -> Self {
        Self { permits: permits.max(1), window: window.max(TimeDelta::seconds(1)) }
    }

    /// The time after which one permit is back.
    #[must_use]
    pub fn interval(self) -> TimeDelta {
        TimeDelta::microseconds(self.window_micros() / i64::from(self.permits))
    }

    /// The time after which all permits are back.
    #[must_use]
    pub const fn window(self) -> TimeDelta {
        self.window
    }

    /// What a request at `now` found, after which all permits will be back at `full_at`.
    #[must_use]
    pub fn state(self, full_at: DateTime<Utc>, allowed: bool, now: DateTime<Utc>) -> AllowanceState {
        let taken = micros(full_at - now).max(0);
        let free = (self.window_micros() - taken).max(0);
        let (remaining, wait) = if allowed {
            (free / micros(self.interval()).max(1), taken)
        } else {
            (0, (taken + micros(self.interval()) - self.window_micros()).max(1))
        };
        AllowanceState {
            allowed,
            limit: self.permits,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX).min(self.permits),
            reset_seconds: u32::try_from(wait.saturating_add(999_999) / 1_000_000).unwrap_or(u32::MAX),
        }
    }

    fn window_micros(self) -> i64 {
        micros(self.window)
    }
}

fn micros(delta: TimeDelta) -> i64 {
    delta.num_microseconds().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the table does.
    fn take(allowance: Allowance, full_at: DateTime<Utc>, now: DateTime<Utc>) -> (DateTime<Utc>, bool) {
        let next = full_at.max(now) + allowance.interval();
        if next <= now + allowance.window() { (next, true) } else { (full_at, false) }
    }

    #[test]
    fn as_many_pass_as_there_are_permits_and_then_one_at_a_time() {
        let allowance = Allowance::new(4, TimeDelta::seconds(60));
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut full_at = start;
        for left in [3, 2, 1, 0] {
            let (next, allowed) = take(allowance, full_at, start);
            full_at = next;
            assert_eq!(allowance.state(full_at, allowed, start).remaining, left);
            assert!(allowed);
        }
        let (full_at, allowed) = take(allowance, full_at, start);
        let state = allowance.state(full_at, allowed, start);
        assert_eq!(state, AllowanceState { allowed: false, limit: 4, remaining: 0, reset_seconds: 15 });
        let later = start + TimeDelta::seconds(15);
        let (full_at, allowed) = take(allowance, full_at, later);
        assert!(allowed);
        assert_eq!(allowance.state(full_at, allowed, later).reset_seconds, 60);
    }

    proptest! {
        #[test]
        fn no_window_lets_more_than_twice_through_and_the_wait_told_is_enough(
            permits in 1_u32..50, seconds in 1_i64..3_600, steps in proptest::collection::vec(0_i64..5_000, 1..200)
        ) {
            let allowance = Allowance::new(permits, TimeDelta::seconds(seconds));
            let mut now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
            let mut full_at = now;
            let mut passed = Vec::new();
            for step in steps {
                now += TimeDelta::milliseconds(step);
                let (next, allowed) = take(allowance, full_at, now);
                full_at = next;
                let state = allowance.state(full_at, allowed, now);
                prop_assert!(state.remaining <= permits);
                if allowed {
                    passed.push(now);
                } else {
                    let (_, allowed) = take(allowance, full_at, now + TimeDelta::seconds(state.reset_seconds.into()));
                    prop_assert!(allowed);
                }
            }
            for (number, first) in passed.iter().enumerate() {
                let within = passed[number..].iter().take_while(|time| **time - *first < allowance.window()).count();
                prop_assert!(within <= 2 * permits as usize);
            }
        }
    }
}
