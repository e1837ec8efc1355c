//! What may be asked for at once: bounds of lists, pages and ranges of time.

use chrono::{DateTime, TimeDelta, Utc};

use crate::configure::{Invalid, invalid};

/// How far a list is paged: rows up to the end of the last page.
pub const MAX_PAGED: u32 = 10_000;
/// The longest range that is summed up.
pub const MAX_DAYS: i64 = 400;
/// The first millisecond of the year 10000: later times are mistakes.
const TOO_LATE_MS: i64 = 253_402_300_800_000;

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows before it.
    pub offset: u32,
    /// Rows in it at most.
    pub limit: u32,
}

impl Page {
    /// How many rows the list has, when the page that was found says so: it ends before it is full.
    #[must_use]
    pub fn total(self, found: usize) -> Option<u64> {
        let (found, offset) = (u64::try_from(found).ok()?, u64::from(self.offset));
        let ends_here = found < u64::from(self.limit) && (found > 0 || offset == 0);
        ends_here.then_some(offset + found)
    }
}

/// From the first (included) to the second (not).
pub type Range = (DateTime<Utc>, DateTime<Utc>);

/// From the first (included), if there is one, to the second (not).
pub type Bounds = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// How many rows are wanted.
///
/// # Errors
/// [`Invalid`] unless it is 1 to `max`.
pub fn limit(limit: u32, max: u32) -> Result<u32, Invalid> {
    if (1..=max).contains(&limit) { Ok(limit) } else { invalid("limit", format!("must be 1 to {max}")) }
}

/// How many ids are named.
///
/// # Errors
/// [`Invalid`] when it is more than `max`.
pub fn ids(field: &str, count: usize, max: usize) -> Result<(), Invalid> {
    if count <= max { Ok(()) } else { invalid(field, format!("must be at most {max}")) }
}

/// The `number`th page (from 1) of `rows` rows.
///
/// # Errors
/// [`Invalid`] when the page has more than `max` rows, none at all, or is beyond [`MAX_PAGED`] rows.
pub fn page(number: u32, rows: u32, max: u32) -> Result<Page, Invalid> {
    let limit = limit(rows, max)?;
    match number.checked_mul(limit) {
        Some(end) if (1..=MAX_PAGED).contains(&end) => Ok(Page { offset: end - limit, limit }),
        Some(0) => invalid("page", "must be 1 or more"),
        _ => invalid("page", format!("must not be beyond {MAX_PAGED} rows: ask for a narrower range of time")),
    }
}

/// A range with either end, both or none; 0 is no bound.
///
/// # Errors
/// [`Invalid`] for a time before 1970 or after 9999, and when it ends before it begins.
pub fn bounds(from_ms: i64, until_ms: i64) -> Result<Bounds, Invalid> {
    let (from, until) = (time("from_ms", from_ms)?, time("until_ms", until_ms)?);
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return invalid("until_ms", "must be after from_ms");
    }
    Ok((from, until))
}

/// A range with both ends.
///
/// # Errors
/// As [`bounds`], and when an end is missing or the range is longer than [`MAX_DAYS`].
pub fn range(from_ms: i64, until_ms: i64) -> Result<Range, Invalid> {
    let (from, until) = bounds(from_ms, until_ms)?;
    let Some(from) = from else { return invalid("from_ms", "is missing") };
    let Some(until) = until else { return invalid("until_ms", "is missing") };
    if until - from > TimeDelta::days(MAX_DAYS) {
        return invalid("until_ms", format!("must be at most {MAX_DAYS} days after from_ms"));
    }
    Ok((from, until))
}

fn time(field: &str, ms: i64) -> Result<Option<DateTime<Utc>>, Invalid> {
    match ms {
        0 => Ok(None),
        1..TOO_LATE_MS => Ok(DateTime::from_timestamp_millis(ms)),
        _ => invalid(field, "must be milliseconds since 1970, before the year 10000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<T: std::fmt::Debug>(answer: Result<T, Invalid>) -> String {
        answer.unwrap_err().field
    }

    #[test]
    fn lists_have_bounds() {
        assert_eq!(limit(1, 200), Ok(1));
        assert_eq!(limit(200, 200), Ok(200));
        for bad in [0, 201, u32::MAX] {
            assert_eq!(field(limit(bad, 200)), "limit");
        }
        assert!(ids("ids", 200, 200).is_ok());
        assert_eq!(field(ids("ids", 201, 200)), "ids");
    }

    #[test]
    fn pages_end_at_ten_thousand_rows() {
        assert_eq!(page(1, 50, 200), Ok(Page { offset: 0, limit: 50 }));
        assert_eq!(page(50, 200, 200), Ok(Page { offset: 9_800, limit: 200 }));
        for (number, rows, wrong) in [(0, 50, "page"), (51, 200, "page"), (u32::MAX, 200, "page"), (1, 0, "limit")] {
            assert_eq!(field(page(number, rows, 200)), wrong, "{number} x {rows}");
        }
    }

    #[test]
    fn a_page_that_is_not_full_is_the_last() {
        let page = Page { offset: 100, limit: 50 };
        assert_eq!(page.total(49), Some(149));
        assert_eq!(page.total(50), None, "there may be more");
        assert_eq!(page.total(0), None, "it is beyond the end");
        assert_eq!(Page { offset: 0, limit: 50 }.total(0), Some(0));
    }

    #[test]
    fn ranges_go_forward_and_end() {
        const DAY: i64 = 86_400_000;
        assert_eq!(bounds(0, 0), Ok((None, None)));
        assert!(range(DAY, 401 * DAY).is_ok());
        for (from, until, wrong) in [
            (0, DAY, "from_ms"),
            (DAY, 0, "until_ms"),
            (DAY, DAY, "until_ms"),
            (2 * DAY, DAY, "until_ms"),
            (DAY, 401 * DAY + 1, "until_ms"),
            (-1, DAY, "from_ms"),
            (i64::MIN, i64::MAX, "from_ms"),
            (DAY, i64::MAX, "until_ms"),
        ] {
            assert_eq!(field(range(from, until)), wrong, "{from}..{until}");
        }
        assert_eq!(field(bounds(2, 1)), "until_ms");
    }
}
