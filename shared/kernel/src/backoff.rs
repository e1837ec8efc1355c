//! Waiting longer after each failure, with jitter so that many waiters do not come back at once.

use std::time::Duration;

/// Exponential back-off with "equal jitter": half of the step is certain, half is drawn
/// (see Marc Brooker, "Exponential Backoff And Jitter").
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// Steps of `base`, 2 × `base`, 4 × `base` … up to `max`.
    #[must_use]
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, max }
    }

    /// How long to wait after failure number `attempt` (0 is the first), where `draw` is a uniform
    /// number in `0.0..=1.0`.
    #[must_use]
    pub fn delay(&self, attempt: u32, draw: f64) -> Duration {
        let factor = 1_u32.checked_shl(attempt.min(20)).unwrap_or(u32::MAX);
        let step = self.base.saturating_mul(factor).min(self.max);
        let half = step / 2;
        half + half.mul_f64(draw.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_lies_between_half_a_step_and_a_step(attempt in 0_u32..100, draw in 0.0_f64..=1.0) {
            let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
            let step = Duration::from_millis(100).saturating_mul(1 << attempt.min(20)).min(Duration::from_secs(30));
            let delay = backoff.delay(attempt, draw);
            prop_assert!(delay >= step / 2 && delay <= step + Duration::from_nanos(1));
        }
    }
}
