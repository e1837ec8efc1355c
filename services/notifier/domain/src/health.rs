//! When an endpoint that keeps failing is switched off.

use chrono::{DateTime, TimeDelta, Utc};

/// An endpoint is switched off when it has done nothing but fail for this long.
pub const DISABLE_AFTER: TimeDelta = TimeDelta::days(5);

/// What is known of an endpoint's recent past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The first failure after the last success, if there is one.
    failing_since: Option<DateTime<Utc>>,
    /// An answer of 410 was added.
    gone: bool,
}

/// Why an endpoint is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisableReason {
    /// It answered 410.
    Gone,
    /// Nothing but failures for [`DISABLE_AFTER`].
    Failing,
}

impl DisableReason {
    /// In words, for its owner.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Gone => "the receiver answered 410 Gone",
            Self::Failing => "nothing but failures for 5 days",
        }
    }
}

/// What has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthChange {
    /// The new beginning of the failures, if any.
    pub failing_since: Option<DateTime<Utc>>,
    /// Switch it off, and why.
    pub disable: Option<DisableReason>,
}

impl Health {
    /// What the database says.
    #[must_use]
    pub const fn known(failing_since: Option<DateTime<Utc>>) -> Self {
        Self { failing_since, gone: false }
    }

    /// Adds an attempt that delivered.
    pub fn success(&mut self) {
        self.failing_since = None;
    }

    /// Adds an attempt that failed at `at`.
    pub fn failure(&mut self, at: DateTime<Utc>) {
        self.failing_since = Some(self.failing_since.map_or(at, |since| since.min(at)));
    }

    /// Adds an answer of 410 at `at`.
    pub fn gone(&mut self, at: DateTime<Utc>) {
        self.failure(at);
        self.gone = true;
    }

    /// What to write, judged at `now`; `before` is what [`Health::known`] was given.
    #[must_use]
    pub fn change(&self, before: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<HealthChange> {
        let failing_for_days = self.failing_since.is_some_and(|since| now - since >= DISABLE_AFTER);
        let disable = if self.gone {
            Some(DisableReason::Gone)
        } else if failing_for_days {
            Some(DisableReason::Failing)
        } else {
            None
        };
        (self.failing_since != before || disable.is_some())
            .then_some(HealthChange { failing_since: self.failing_since, disable })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    const MONDAY: &str = "2026-11-16T12:00:00Z";

    fn after(before: Option<&str>, add: impl Fn(&mut Health), now: &str) -> Option<HealthChange> {
        let mut health = Health::known(before.map(at));
        add(&mut health);
        health.change(before.map(at), at(now))
    }

    #[test]
    fn the_first_failure_starts_the_clock_and_later_ones_leave_it() {
        let started = Some(HealthChange { failing_since: Some(at(MONDAY)), disable: None });
        assert_eq!(after(None, |h| h.failure(at(MONDAY)), MONDAY), started);
        let later = "2026-11-18T12:00:00Z";
        assert_eq!(after(Some(MONDAY), |h| h.failure(at(later)), later), None);
    }

    #[test]
    fn a_success_stops_the_clock_and_a_healthy_endpoint_needs_no_write() {
        let stopped = Some(HealthChange { failing_since: None, disable: None });
        assert_eq!(after(Some(MONDAY), Health::success, "2026-11-22T12:00:00Z"), stopped);
        assert_eq!(after(None, Health::success, MONDAY), None);
    }

    #[test]
    fn five_days_of_failures_switch_it_off_and_a_second_less_does_not() {
        let fail = |now: &'static str| move |h: &mut Health| h.failure(at(now));
        let just_before = "2026-11-21T11:59:59Z";
        assert_eq!(after(Some(MONDAY), fail(just_before), just_before), None);
        let then = "2026-11-21T12:00:00Z";
        let change = after(Some(MONDAY), fail(then), then).unwrap();
        assert_eq!(change.disable, Some(DisableReason::Failing));
        assert_eq!(change.failing_since, Some(at(MONDAY)));
    }

    #[test]
    fn gone_switches_it_off_at_once() {
        let change = after(None, |h| h.gone(at(MONDAY)), MONDAY).unwrap();
        assert_eq!(change.disable, Some(DisableReason::Gone));
    }
}
