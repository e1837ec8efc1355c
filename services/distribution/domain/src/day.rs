//! A tenant's day: caps begin anew at its own midnight.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The time zone of that IANA name.
#[must_use]
pub fn time_zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// The date on a calendar in `zone` at `now`.
#[must_use]
pub fn day_in(zone: Tz, now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&zone).date_naive()
}

/// The first moment of the day after `now`'s in `zone`. Where clocks jump over midnight, the day
/// begins when they land.
#[must_use]
pub fn next_midnight(zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
    let fallback = now + TimeDelta::days(1);
    let Some(tomorrow) = day_in(zone, now).checked_add_days(Days::new(1)) else {
        return fallback;
    };
    // A gap is at most a few hours, and always a multiple of a quarter of an hour.
    (0..24_i64)
        .filter_map(|quarters| {
            let local = tomorrow.and_time(NaiveTime::MIN) + TimeDelta::minutes(15 * quarters);
            zone.from_local_datetime(&local).earliest()
        })
        .next()
        .map_or(fallback, |local| local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_is_the_tenants_not_the_servers() {
        let new_york = time_zone("America/New_York").unwrap();
        assert_eq!(day_in(new_york, at("2026-01-02T04:59:59Z")).to_string(), "2026-01-01");
        assert_eq!(day_in(new_york, at("2026-01-02T05:00:00Z")).to_string(), "2026-01-02");
        assert_eq!(next_midnight(new_york, at("2026-01-02T04:59:59Z")), at("2026-01-02T05:00:00Z"));
    }

    #[test]
    fn a_day_may_have_23_or_25_hours() {
        let new_york = time_zone("America/New_York").unwrap();
        assert_eq!(next_midnight(new_york, at("2026-03-08T05:00:00Z")), at("2026-03-09T04:00:00Z"));
        assert_eq!(next_midnight(new_york, at("2026-11-01T04:00:00Z")), at("2026-11-02T05:00:00Z"));
    }

    #[test]
    fn a_day_may_begin_at_one_o_clock() {
        // Clocks in Havana go from 00:00 to 01:00.
        let havana = time_zone("America/Havana").unwrap();
        let start = next_midnight(havana, at("2026-03-07T12:00:00Z"));
        assert_eq!(day_in(havana, start).to_string(), "2026-03-08");
        assert_eq!(day_in(havana, start - TimeDelta::seconds(1)).to_string(), "2026-03-07");
    }

    #[test]
    fn unknown_zones_are_refused() {
        assert_eq!(time_zone("Mars/Olympus"), None);
    }
}
