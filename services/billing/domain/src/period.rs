//! Which week and month a moment belongs to, where the tenant lives.

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;

/// The spending windows that a moment falls in, named by their first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The Monday that starts the ISO week.
    pub week_start: NaiveDate,
    /// The first day of the calendar month.
    pub month_start: NaiveDate,
}

impl Period {
    /// The day of `at` on the calendar of `time_zone`.
    #[must_use]
    pub fn day(at: DateTime<Utc>, time_zone: Tz) -> NaiveDate {
        at.with_timezone(&time_zone).date_naive()
    }

    /// The windows of `at` on the calendar of `time_zone`.
    #[must_use]
    pub fn at(at: DateTime<Utc>, time_zone: Tz) -> Self {
        let today = Self::day(at, time_zone);
        Self {
            week_start: today.week(Weekday::Mon).first_day(),
            // Every month has a first day, so the fallback is never taken.
            month_start: today.with_day(1).unwrap_or(today),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(at: &str, time_zone: Tz) -> (String, String) {
        let period = Period::at(at.parse().unwrap(), time_zone);
        (period.week_start.to_string(), period.month_start.to_string())
    }

    #[test]
    fn the_week_turns_at_the_tenants_midnight_not_at_utcs() {
        let new_york = chrono_tz::America::New_York;
        // Sunday 23:59 in New York is Monday 04:59 in UTC.
        assert_eq!(period("2026-11-23T04:59:59Z", new_york).0, "2026-11-16");
        assert_eq!(period("2026-11-23T05:00:00Z", new_york).0, "2026-11-23");
        assert_eq!(period("2026-11-22T14:59:59Z", chrono_tz::Asia::Tokyo).0, "2026-11-16");
        assert_eq!(period("2026-11-22T15:00:00Z", chrono_tz::Asia::Tokyo).0, "2026-11-23");
    }

    #[test]
    fn the_month_turns_at_the_tenants_midnight_also_at_new_year() {
        let los_angeles = chrono_tz::America::Los_Angeles;
        assert_eq!(period("2027-01-01T07:59:59Z", los_angeles).1, "2026-12-01");
        assert_eq!(period("2027-01-01T08:00:00Z", los_angeles).1, "2027-01-01");
    }

    #[test]
    fn a_week_may_lie_in_two_months_and_two_years() {
        let utc = chrono_tz::UTC;
        assert_eq!(period("2027-01-02T12:00:00Z", utc), ("2026-12-28".to_owned(), "2027-01-01".to_owned()));
    }

    #[test]
    fn daylight_saving_changes_do_not_move_the_border_off_midnight() {
        let new_york = chrono_tz::America::New_York;
        // Clocks went back on Sunday 2026-11-01: that week ends at 05:00 UTC, not 04:00.
        assert_eq!(period("2026-11-02T04:59:59Z", new_york).0, "2026-10-26");
        assert_eq!(period("2026-11-02T05:00:00Z", new_york).0, "2026-11-02");
    }
}
