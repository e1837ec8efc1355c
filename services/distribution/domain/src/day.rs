//! A tenant's day: caps begin anew at its own midnight.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
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
    let tomorrow = day_in(zone, now).checked_add_days(Days::new(1));
    tomorrow.and_then(|tomorrow| beginning(zone, tomorrow)).unwrap_or(now + TimeDelta::days(1))
}

/// The first moment of a day in `zone`.
fn beginning(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    // A gap is a multiple of a quarter of an hour; in Samoa it was a whole day once.
    (0..120_i64)
        .filter_map(|quarters| {
            let local = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(15 * quarters);
            zone.from_local_datetime(&local).earliest()
        })
        .next()
        .map(|local| local.with_timezone(&Utc))
}

/// The month of `zone`'s calendar that `at` is in: from its first moment to the first of the next.
#[must_use]
pub fn month_of(zone: Tz, at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let first = day_in(zone, at).with_day(1);
    let next = first.and_then(|first| first.checked_add_months(Months::new(1)));
    let moment = |day: Option<NaiveDate>| day.and_then(|day| beginning(zone, day));
    // Only at the ends of time is there no such month.
    (moment(first).unwrap_or(DateTime::<Utc>::MIN_UTC), moment(next).unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// Every day of `zone`'s calendar that has a part in `from..until`, with the moment where that part begins. A day that a calendar
/// left out is not there. Empty when `until` is not after `from`.
#[must_use]
pub fn days(zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<(NaiveDate, DateTime<Utc>)> {
    std::iter::successors(Some(from), |begin| Some(next_midnight(zone, *begin)))
        .take_while(|begin| *begin < until)
        .map(|begin| (day_in(zone, begin), begin))
        .collect()
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
    fn every_day_of_a_range_is_there() {
        let new_york = time_zone("America/New_York").unwrap();
        let range = |from, until| -> Vec<(String, DateTime<Utc>)> {
            days(new_york, at(from), at(until)).into_iter().map(|(day, begin)| (day.to_string(), begin)).collect()
        };
        // Clocks go back on the first of November.
        assert_eq!(
            range("2026-10-31T12:00:00Z", "2026-11-02T05:00:00.001Z"),
            [
                ("2026-10-31".to_owned(), at("2026-10-31T12:00:00Z")),
                ("2026-11-01".to_owned(), at("2026-11-01T04:00:00Z")),
                ("2026-11-02".to_owned(), at("2026-11-02T05:00:00Z")),
            ]
        );
        assert_eq!(range("2026-10-31T12:00:00Z", "2026-11-01T04:00:00Z").len(), 1, "the end is not in it");
        assert_eq!(range("2026-10-31T12:00:00Z", "2026-10-31T12:00:00Z"), []);
        assert_eq!(range("2025-01-01T12:00:00Z", "2026-02-05T12:00:00Z").len(), 401);
    }

    #[test]
    fn a_day_that_never_was_is_not_there() {
        let apia = time_zone("Pacific/Apia").unwrap();
        let found: Vec<(String, DateTime<Utc>)> = days(apia, at("2011-12-29T12:00:00Z"), at("2011-12-31T00:00:00Z"))
            .into_iter()
            .map(|(day, begin)| (day.to_string(), begin))
            .collect();
        let wanted = [("2011-12-29", "2011-12-29T12:00:00Z"), ("2011-12-31", "2011-12-30T10:00:00Z")];
        assert_eq!(found, wanted.map(|(day, begin)| (day.to_owned(), at(begin))));
    }

    #[test]
    fn a_month_is_the_tenants() {
        let new_york = time_zone("America/New_York").unwrap();
        // Clocks go back on the first of November.
        let november = (at("2026-11-01T04:00:00Z"), at("2026-12-01T05:00:00Z"));
        assert_eq!(month_of(new_york, at("2026-11-01T04:00:00Z")), november);
        assert_eq!(month_of(new_york, at("2026-12-01T04:59:59.999Z")), november);
        assert_eq!(month_of(new_york, at("2026-12-01T05:00:00Z")).0, november.1);
        let kiritimati = time_zone("Pacific/Kiritimati").unwrap();
        assert_eq!(month_of(kiritimati, at("2026-12-31T10:00:00Z")).0, at("2026-12-31T10:00:00Z"));
    }

    #[test]
    fn unknown_zones_are_refused() {
        assert_eq!(time_zone("Mars/Olympus"), None);
    }
}
