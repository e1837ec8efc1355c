use std::time::Duration;

use leadflow_kernel::Backoff;

/// Between attempts: 10 s, 20 s, 40 s … 10 min, of which half is drawn. What nobody got in an hour is hardly news, so there is
/// no later than that.
const RETRY: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_mins(10));

/// A provider's `Retry-After` up to this is honoured.
pub const MESSAGE_RETRY_AFTER_CAP: Duration = Duration::from_hours(1);

/// How long to wait after attempt number `attempt` (1 is the first) failed. `asked` is what the provider asked for: it makes
/// the wait longer, up to [`MESSAGE_RETRY_AFTER_CAP`], never shorter. `draw` is a uniform number in `0.0..=1.0`. There is no last
/// attempt: a message ends when it expires.
#[must_use]
pub fn message_pause(attempt: u32, asked: Option<Duration>, draw: f64) -> Duration {
    RETRY.delay(attempt.saturating_sub(1), draw).max(asked.unwrap_or_default().min(MESSAGE_RETRY_AFTER_CAP))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_lies_within_its_published_bounds(
            attempt in 0_u32..=u32::MAX, asked in proptest::option::of(0_u64..=u64::MAX), draw in -1.0_f64..=2.0,
        ) {
            let step = Duration::from_secs(10 * (1 << attempt.saturating_sub(1).min(6))).min(Duration::from_mins(10));
            let asked = asked.map(Duration::from_secs);
            let wait = message_pause(attempt, asked, draw);
            prop_assert!(wait >= step / 2);
            let honoured = asked.unwrap_or_default().min(MESSAGE_RETRY_AFTER_CAP);
            prop_assert!(wait >= honoured);
            prop_assert!(wait <= (step + Duration::from_nanos(1)).max(honoured), "{wait:?}");
        }

        #[test]
        fn asking_for_more_never_gets_less(attempt in 1_u32..20, a in 0_u64..100_000, b in 0_u64..100_000, draw in 0.0_f64..=1.0) {
            let wait = |seconds| message_pause(attempt, Some(Duration::from_secs(seconds)), draw);
            prop_assert!(wait(a.min(b)) <= wait(a.max(b)));
        }
    }
}
