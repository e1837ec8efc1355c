//! Ranges of time in queries.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use leadflow_kernel::Clock;

use super::problem::{Problem, bad_query};

/// The longest range that services count over.
pub(super) const MAX_DAYS: u32 = 400;

/// The last [`MAX_DAYS`] days, in milliseconds since 1970: from, and before when.
pub(super) fn counted(clock: &dyn Clock) -> (i64, i64) {
    // What happens this very moment counts, though clocks differ a little.
    let until = clock.now() + TimeDelta::minutes(1);
    let from = until - TimeDelta::days(MAX_DAYS.into());
    (from.timestamp_millis(), until.timestamp_millis())
}

/// A day (`2026-11-23`, as its first moment in UTC) or a moment in RFC 3339.
fn moment(name: &str, text: &str) -> Result<(DateTime<Utc>, bool), Problem> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok((day.and_time(chrono::NaiveTime::MIN).and_utc(), true));
    }
    let read = DateTime::parse_from_rfc3339(text).map(|time| (time.to_utc(), false));
    read.ok().filter(|(time, _)| time.timestamp() > 0).ok_or_else(|| {
        bad_query(format!("{name} must be a day such as 2026-11-23 or a time such as 2026-11-23T08:00:00Z"))
    })
}

/// `startDate` and `endDate` as milliseconds since 1970, 0 where there is no bound. A day as the end is
/// part of the range.
pub(super) fn bounds(start: Option<&str>, end: Option<&str>) -> Result<(i64, i64), Problem> {
    between(["startDate", "endDate"], start, end)
}

/// As [`bounds`], under other names.
pub(super) fn between([first, last]: [&str; 2], start: Option<&str>, end: Option<&str>) -> Result<(i64, i64), Problem> {
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let from = given(start).map(|text| moment(first, &text)).transpose()?;
    let until = given(end).map(|text| moment(last, &text)).transpose()?;
    let until =
        until.map(|(time, is_day)| if is_day { time.checked_add_days(Days::new(1)).unwrap_or(time) } else { time });
    let from = from.map(|(time, _)| time);
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        return Err(bad_query(format!("{first} must be before {last}")));
    }
    Ok((from.map_or(0, |time| time.timestamp_millis()), until.map_or(0, |time| time.timestamp_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_day_is_part_of_the_range() {
        let (from, until) = bounds(Some("2026-11-23"), Some("2026-11-23")).unwrap();
        assert_eq!(until - from, 24 * 60 * 60 * 1000);
        assert_eq!(bounds(None, Some("")).unwrap(), (0, 0));
        let (from, _) = bounds(Some("2026-11-23T01:00:00+01:00"), None).unwrap();
        assert_eq!(from, bounds(Some("2026-11-23"), None).unwrap().0);
        for (start, end) in [("2026-11-24", "2026-11-23"), ("yesterday", ""), ("2026-13-01", ""), ("", "0000-00-00")] {
            assert!(bounds(Some(start), Some(end)).is_err(), "{start} {end}");
        }
    }
}
