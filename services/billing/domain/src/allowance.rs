//! What a buyer's record allows his wallet.

use rust_decimal::Decimal;

/// A buyer's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuyerStatus {
    /// May buy.
    Active,
    /// Temporarily not.
    Paused,
    /// Not any more.
    Archived,
}

impl BuyerStatus {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Archived => "archived",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Archived].into_iter().find(|status| status.name() == name)
    }
}

/// Status and spending limits; major units, `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Only an active buyer's wallet takes new holds.
    pub status: BuyerStatus,
    /// The most an ISO week may cost.
    pub weekly_limit: Option<Decimal>,
    /// The most a calendar month may cost.
    pub monthly_limit: Option<Decimal>,
}

impl Allowance {
    /// Whether others must be told of the change from `before`: a limit was raised or lifted (leads that wait may
    /// sell now), or the status is another one.
    #[must_use]
    pub fn is_news_after(&self, before: &Self) -> bool {
        let raised = |now: Option<Decimal>, before: Option<Decimal>| match (now, before) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(now), Some(before)) => now > before,
        };
        self.status != before.status
            || raised(self.weekly_limit, before.weekly_limit)
            || raised(self.monthly_limit, before.monthly_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(status: BuyerStatus, weekly: Option<i64>, monthly: Option<i64>) -> Allowance {
        let limit = |limit: Option<i64>| limit.map(|cents| Decimal::new(cents, 2));
        Allowance { status, weekly_limit: limit(weekly), monthly_limit: limit(monthly) }
    }

    #[test]
    fn a_limit_raised_or_lifted_and_another_status_are_news_a_lowered_limit_is_not() {
        use BuyerStatus::{Active, Paused};
        let before = allowance(Active, Some(100), None);
        for (now, news) in [
            (allowance(Active, Some(100), None), false),
            (allowance(Active, Some(99), None), false),
            (allowance(Active, Some(101), None), true),
            (allowance(Active, None, None), true),
            (allowance(Active, Some(100), Some(5)), false),
            (allowance(Paused, Some(100), None), true),
        ] {
            assert_eq!(now.is_news_after(&before), news, "{now:?}");
        }
        let limited_month = allowance(Active, None, Some(0));
        assert!(allowance(Active, None, Some(1)).is_news_after(&limited_month));
    }

    #[test]
    fn a_status_is_found_by_its_name() {
        for status in [BuyerStatus::Active, BuyerStatus::Paused, BuyerStatus::Archived] {
            assert_eq!(BuyerStatus::from_name(status.name()), Some(status));
        }
        assert_eq!(BuyerStatus::from_name("sleeping"), None);
    }
}
