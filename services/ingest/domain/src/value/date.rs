//! Dates: ISO 8601, with or without a time (the date as written counts), or the United States'
//! month/day/year. A two-digit year says too little.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};

use super::{Wrong, trimmed};
use crate::Json;

const WRONG: &str = "must be a date: YYYY-MM-DD or MM/DD/YYYY";

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    let text = trimmed(value, WRONG)?;
    let date = iso(text).or_else(|| us(text)).ok_or(WRONG)?;
    if !(1900..=2100).contains(&date.year()) {
        return Err("must be a date between 1900 and 2100".into());
    }
    Ok(date.format("%Y-%m-%d").to_string())
}

fn iso(text: &str) -> Option<NaiveDate> {
    let (date, time) = match text.split_at_checked(10)? {
        (date, "") => (date, None),
        (date, time) => (date, Some(time)),
    };
    let mut parts = date.split('-');
    let date = calendar(parts.next()?, 4, parts.next()?, 2, parts.next()?, 2)?;
    if parts.next().is_some() {
        return None;
    }
    let time_is_real = time.is_none_or(|time| {
        (time.starts_with(['T', 't', ' ']))
            && (DateTime::parse_from_rfc3339(text).is_ok()
                || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
                || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").is_ok())
    });
    time_is_real.then_some(date)
}

fn us(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    calendar(year, 4, month, 1, day, 1)
}

fn calendar(
    year: &str,
    year_min: usize,
    month: &str,
    month_min: usize,
    day: &str,
    day_min: usize,
) -> Option<NaiveDate> {
    let number = |text: &str, min: usize, max: usize| {
        let fits = (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if fits { text.parse::<u32>().ok() } else { None }
    };
    let year = i32::try_from(number(year, year_min, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(month, month_min, 2)?, number(day, day_min, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_iso() {
        for (text, date) in [
            ("1960-02-29", "1960-02-29"),
            ("2/9/1960", "1960-02-09"),
            ("02/09/1960", "1960-02-09"),
            ("2024-02-29T23:30:00-05:00", "2024-02-29"),
            ("2024-01-02T03:04:05Z", "2024-01-02"),
            ("2024-01-02T03:04:05", "2024-01-02"),
            ("2024-01-02 03:04:05.123", "2024-01-02"),
            (" 2024-01-02 ", "2024-01-02"),
        ] {
            assert_eq!(read(&Json::String(text.into())).unwrap(), date, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "2023-02-29",
            "2/30/2024",
            "13/01/2024",
            "1/2/24",
            "24-01-02",
            "2024-1-2",
            "20240102",
            "2024/01/02",
            "yesterday",
            "2024-01-02T25:00:00Z",
            "2024-01-02x",
            "2024-01-02T",
            "1899-12-31",
            "2101-01-01",
            "0000-00-00",
            "1/2/3/2024",
            "+024-01-02",
            "１９９９-01-01",
            "2024-01-0é",
        ] {
            assert!(read(&Json::String(text.into())).is_err(), "{text}");
        }
        assert!(read(&Json::Number("20240102")).is_err());
    }
}
