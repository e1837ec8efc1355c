//! When to try again.
//!
//! | after attempt | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
//! |---|---|---|---|---|---|---|---|
//! | wait | 5 s | 5 min | 30 min | 2 h | 5 h | 10 h | 10 h |
//!
//! Each step is drawn between 80 % and 120 % of that, so that what failed together does not come
//! back together. All in all a receiver has a little over a day to come back. Two things make a
//! wait longer, never shorter: a `Retry-After`, honoured up to the larger of twice the step and one
//! hour; and a time-out, after which at least a minute passes, because the receiver may be
//! overloaded and each attempt holds a connection for half a minute.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The wait after attempt 1, 2, …
pub const STEPS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(5 * HOUR),
    Duration::from_secs(10 * HOUR),
    Duration::from_secs(10 * HOUR),
];

/// Attempts until a delivery is given up.
pub const MAX_ATTEMPTS: u32 = STEPS.len() as u32 + 1;
/// A `Retry-After` up to this (or twice the step, if that is more) is honoured.
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(HOUR);
/// The least wait after a time-out.
pub const TIMEOUT_PAUSE: Duration = Duration::from_secs(MINUTE);

/// What bears on the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trouble {
    /// What the receiver asked for.
    pub retry_after: Option<Duration>,
    /// No answer came in time.
    pub timed_out: bool,
}

/// How long to wait after attempt number `attempt` (1 is the first) failed, or `None` when it was
/// the last. `draw` is a uniform number in `0.0..=1.0`.
#[must_use]
pub fn pause_after(attempt: u32, trouble: Trouble, draw: f64) -> Option<Duration> {
    let index = usize::try_from(attempt.saturating_sub(1)).ok()?;
    let step = *STEPS.get(index)?;
    let drawn = step.mul_f64(0.8 + 0.4 * draw.clamp(0.0, 1.0));
    let asked = trouble.retry_after.unwrap_or_default().min(RETRY_AFTER_CAP.max(step * 2));
    let least = if trouble.timed_out { TIMEOUT_PAUSE } else { Duration::ZERO };
    Some(drawn.max(asked).max(least))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn troubles() -> impl Strategy<Value = Trouble> {
        (proptest::option::of(0_u64..=u64::MAX), any::<bool>())
            .prop_map(|(s, timed_out)| Trouble { retry_after: s.map(Duration::from_secs), timed_out })
    }

    #[test]
    fn the_eighth_failure_is_the_last() {
        assert_eq!(MAX_ATTEMPTS, 8);
        assert!(pause_after(7, Trouble::default(), 0.5).is_some());
        for attempt in [8, 9, u32::MAX] {
            assert_eq!(pause_after(attempt, Trouble::default(), 0.5), None);
        }
    }

    #[test]
    fn an_undisturbed_schedule_is_the_published_one() {
        let waits: Vec<u64> =
            (1..=7).map(|n| pause_after(n, Trouble::default(), 0.5).unwrap().as_secs_f64().round() as u64).collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
    }

    #[test]
    fn a_receiver_may_ask_for_more_within_bounds() {
        let asked = |attempt, seconds| {
            let trouble = Trouble { retry_after: Some(Duration::from_secs(seconds)), timed_out: false };
            pause_after(attempt, trouble, 0.5).unwrap().as_secs_f64().round() as u64
        };
        assert_eq!(asked(1, 0), 5, "never sooner than the schedule");
        assert_eq!(asked(1, 120), 120);
        assert_eq!(asked(1, 86_400), 3_600, "at most an hour early on");
        assert_eq!(asked(4, 86_400), 14_400, "at most twice the step later");
    }

    proptest! {
        #[test]
        fn a_wait_lies_within_its_published_bounds(attempt in 1_u32..=7, trouble in troubles(), draw in -1.0_f64..=2.0) {
            let step = STEPS[attempt as usize - 1];
            let wait = pause_after(attempt, trouble, draw).unwrap();
            prop_assert!(wait >= step.mul_f64(0.8));
            prop_assert!(!trouble.timed_out || wait >= TIMEOUT_PAUSE);
            let mut most = step.mul_f64(1.2);
            if trouble.timed_out {
                most = most.max(TIMEOUT_PAUSE);
            }
            if trouble.retry_after.is_some() {
                most = most.max(RETRY_AFTER_CAP).max(step * 2);
            }
            prop_assert!(wait <= most, "{:?} > {:?}", wait, most);
        }

        #[test]
        fn asking_for_more_never_gets_less(attempt in 1_u32..=7, a in 0_u64..100_000, b in 0_u64..100_000, draw in 0.0_f64..=1.0) {
            let wait = |s| {
                pause_after(attempt, Trouble { retry_after: Some(Duration::from_secs(s)), timed_out: false }, draw)
            };
            prop_assert!(wait(a.min(b)) <= wait(a.max(b)));
        }
    }
}
