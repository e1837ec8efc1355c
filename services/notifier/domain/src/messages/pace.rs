use chrono::{DateTime, Utc};

/// How many messages may be handed to a provider now: so many a second, and never more than a second's at once, so that
/// what has gathered while a provider was away does not fall on it in one heap.
#[derive(Debug, Clone)]
pub struct Pace {
    per_second: f64,
    left: f64,
    at: Option<DateTime<Utc>>,
}

impl Pace {
    /// At least one a second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, left: per_second, at: None }
    }

    /// At most `wanted`, as many as may go now. A clock that is set back gives none.
    pub fn take(&mut self, wanted: usize, now: DateTime<Utc>) -> usize {
        let passed = self.at.map_or(0, |at| (now - at).num_milliseconds().max(0));
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since the last look; a second's is the most that counts"
        )]
        let earned = self.per_second * passed.min(1_000) as f64 / 1_000.0;
        self.left = (self.left + earned).min(self.per_second);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to u32::MAX")]
        let taken = wanted.min(self.left.floor() as usize);
        self.left -= as_f64(taken);
        taken
    }

    /// Gives back what was not used.
    pub fn give_back(&mut self, unused: usize) {
        self.left = (self.left + as_f64(unused)).min(self.per_second);
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_seconds_worth_at_once_and_then_as_time_goes_on() {
        let mut pace = Pace::new(10);
        assert_eq!(pace.take(100, start()), 10);
        assert_eq!(pace.take(100, start()), 0);
        assert_eq!(pace.take(100, start() + TimeDelta::milliseconds(300)), 3);
        pace.give_back(2);
        assert_eq!(pace.take(100, start() + TimeDelta::milliseconds(300)), 2);
        assert_eq!(pace.take(100, start() + TimeDelta::hours(1)), 10, "nothing is saved up");
        assert_eq!(pace.take(1, start()), 0, "a clock that is set back");
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate(per_second in 1_u32..500, steps in proptest::collection::vec((0_i64..2_000, 0_usize..600), 1..60)) {
            let (mut pace, mut now, mut sent) = (Pace::new(per_second), start(), 0_usize);
            for (wait, wanted) in steps {
                now += TimeDelta::milliseconds(wait);
                sent += pace.take(wanted, now);
                let seconds = (now - start()).as_seconds_f64();
                let most = f64::from(per_second) * (seconds + 1.0) + 1e-6;
                prop_assert!(as_f64(sent) <= most, "{sent} in {seconds} s");
            }
        }
    }
}
