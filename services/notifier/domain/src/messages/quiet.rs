//! Hours in which a phone is silent.

use chrono::{DateTime, DurationRound as _, Offset as _, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;

const MINUTES_A_DAY: u32 = 24 * 60;
/// Clocks may leap over the hours' end; nowhere by more than a day.
const LOOKED_AT: i64 = 50 * 60;

/// When quiet hours end that it is now within, in `zone` (an IANA name; anything else is UTC); `None` when it is not. `quiet` are minutes after
/// midnight, from and until, as a clock on the wall shows them: hours that clocks leap over are not waited for, and those that come twice are
/// quiet twice.
#[must_use]
pub fn quiet_until(quiet: (u32, u32), zone: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    if !is_quiet(quiet, zone, now) {
        return None;
    }
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    let here = minute_there(zone, now);
    let left = (quiet.1 + MINUTES_A_DAY - here) % MINUTES_A_DAY;
    let end = minute + TimeDelta::minutes(i64::from(left));
    if offset(zone, end) == offset(zone, now) {
        return Some(end);
    }
    // Clocks are set meanwhile: it is looked at each minute.
    let minutes = (1..LOOKED_AT).map(|minutes| minute + TimeDelta::minutes(minutes));
    minutes.into_iter().find(|at| !is_quiet(quiet, zone, *at))
}

fn is_quiet((from, until): (u32, u32), zone: Tz, at: DateTime<Utc>) -> bool {
    let here = minute_there(zone, at);
    if from <= until { (from..until).contains(&here) } else { here >= from || here < until }
}

fn minute_there(zone: Tz, at: DateTime<Utc>) -> u32 {
    let there = at.with_timezone(&zone);
    there.hour() * 60 + there.minute()
}

fn offset(zone: Tz, at: DateTime<Utc>) -> i32 {
    at.with_timezone(&zone).offset().fix().local_minus_utc()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn they_end_where_the_reader_is() {
        const NIGHT: (u32, u32) = (22 * 60, 7 * 60);
        for (quiet, zone, now, wanted) in [
            (NIGHT, "America/New_York", "2026-11-23T04:00:30Z", Some("2026-11-23T12:00:00Z")),
            (NIGHT, "America/New_York", "2026-11-23T03:00:00Z", Some("2026-11-23T12:00:00Z")),
            (NIGHT, "America/New_York", "2026-11-23T02:59:59Z", None),
            (NIGHT, "America/New_York", "2026-11-23T11:59:59Z", Some("2026-11-23T12:00:00Z")),
            (NIGHT, "America/New_York", "2026-11-23T12:00:00Z", None),
            (NIGHT, "nowhere", "2026-11-23T06:00:00Z", Some("2026-11-23T07:00:00Z")),
            ((600, 660), "UTC", "2026-11-23T10:30:00Z", Some("2026-11-23T11:00:00Z")),
            ((600, 660), "UTC", "2026-11-23T11:30:00Z", None),
            ((0, 0), "UTC", "2026-11-23T00:00:00Z", None),
            ((600, 600), "UTC", "2026-11-23T10:00:00Z", None),
            ((600, 599), "UTC", "2026-11-23T10:00:00Z", Some("2026-11-24T09:59:00Z")),
            ((0, 1_439), "UTC", "2026-11-23T00:00:00Z", Some("2026-11-23T23:59:00Z")),
        ] {
            assert_eq!(quiet_until(quiet, zone, at(now)), wanted.map(at), "{quiet:?} {zone} {now}");
        }
    }

    #[test]
    fn clocks_are_set() {
        const NIGHT: (u32, u32) = (22 * 60, 7 * 60);
        const SMALL: (u32, u32) = (60, 150);
        for (quiet, zone, now, wanted) in [
            // Spring: the night is an hour shorter, in autumn longer.
            (NIGHT, "America/New_York", "2026-03-08T03:30:00Z", "2026-03-08T11:00:00Z"),
            (NIGHT, "America/New_York", "2026-11-01T02:30:00Z", "2026-11-01T12:00:00Z"),
            // Until 2:30, which does not come: at 2 it is 3.
            (SMALL, "America/New_York", "2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z"),
            // From 1 to 2:30, and 1 comes twice.
            (SMALL, "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T07:30:00Z"),
            // From 1 to 1:30: it is 1:30, and then 1 again.
            ((60, 90), "America/New_York", "2026-11-01T05:10:00Z", "2026-11-01T05:30:00Z"),
            ((60, 90), "America/New_York", "2026-11-01T06:10:00Z", "2026-11-01T06:30:00Z"),
            // A whole day was left out here.
            (NIGHT, "Pacific/Apia", "2011-12-30T08:30:00Z", "2011-12-30T17:00:00Z"),
        ] {
            assert_eq!(quiet_until(quiet, zone, at(now)), Some(at(wanted)), "{quiet:?} {zone} {now}");
        }
    }

    proptest! {
        #[test]
        fn it_is_quiet_until_they_end_and_not_then(
            from in 0..MINUTES_A_DAY, until in 0..MINUTES_A_DAY,
            zone in prop::sample::select(&["America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "UTC"][..]),
            // Around the days on which clocks are set, and any.
            start in prop::sample::select(&["2026-03-07T18:00:00Z", "2026-10-31T18:00:00Z", "2026-04-04T04:00:00Z", "2026-10-03T04:00:00Z", "2026-06-01T00:00:00Z"][..]),
            seconds in 0_i64..(2 * 24 * 3600),
        ) {
            let (now, place) = (at(start) + TimeDelta::seconds(seconds), zone.parse::<Tz>().unwrap());
            match quiet_until((from, until), zone, now) {
                None => prop_assert!(!is_quiet((from, until), place, now)),
                Some(end) => {
                    prop_assert!(end > now && !is_quiet((from, until), place, end), "{now} {end}");
                    let mut minute = now;
                    while minute < end {
                        prop_assert!(is_quiet((from, until), place, minute), "{minute} of {now} to {end}");
                        minute += TimeDelta::minutes(1);
                    }
                }
            }
        }
    }
}
