//! A buyer's day, where he is.

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

/// The hour at which a day is summed up, the next morning.
const FROM: u32 = 7;
/// From this hour on it is too late: news of yesterday are read in the morning.
const UNTIL: u32 = 19;

/// The day that somebody in `zone` (an IANA name; anything else is UTC) is to be told of now: yesterday, from seven in the morning on.
#[must_use]
pub fn day_to_sum_up(zone: &str, now: DateTime<Utc>) -> Option<NaiveDate> {
    let here = now.with_timezone(&tz(zone));
    (FROM..UNTIL).contains(&here.hour()).then(|| here.date_naive().checked_sub_days(Days::new(1)))?
}

/// When `day` began and ended there: 23 to 25 hours apart.
#[must_use]
pub fn day_bounds(zone: &str, day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    let zone = tz(zone);
    (midnight(zone, day), midnight(zone, day.checked_add_days(Days::new(1)).unwrap_or(day)))
}

fn tz(zone: &str) -> Tz {
    zone.parse().unwrap_or(Tz::UTC)
}

/// A midnight that clocks leap over is the moment after it.
fn midnight(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    for hours in 0..4 {
        match zone.from_local_datetime(&(midnight + chrono::TimeDelta::minutes(30 * hours))) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.with_timezone(&Utc),
            LocalResult::None => {}
        }
    }
    midnight.and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn yesterday_is_summed_up_from_seven_in_the_morning_on() {
        for (zone, now, wanted) in [
            ("America/New_York", "2026-11-23T11:59:59Z", None),
            ("America/New_York", "2026-11-23T12:00:00Z", Some("2026-11-22")),
            ("America/New_York", "2026-11-23T23:59:59Z", Some("2026-11-22")),
            ("America/New_York", "2026-11-24T00:00:00Z", None),
            ("Pacific/Kiritimati", "2026-11-22T17:00:00Z", Some("2026-11-22")),
            ("nowhere", "2026-11-23T07:00:00Z", Some("2026-11-22")),
        ] {
            let wanted = wanted.map(|day| day.parse().unwrap());
            assert_eq!(day_to_sum_up(zone, at(now)), wanted, "{zone} {now}");
        }
    }

    #[test]
    fn days_are_as_long_as_clocks_make_them() {
        for (zone, day, from, until) in [
            ("America/New_York", "2026-11-22", "2026-11-22T05:00:00Z", "2026-11-23T05:00:00Z"),
            ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            // Here midnight was left out.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        ] {
            assert_eq!(day_bounds(zone, day.parse().unwrap()), (at(from), at(until)), "{zone} {day}");
        }
    }
}
