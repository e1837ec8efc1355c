//! Numbers: exact decimals, from a JSON number or its text, never through a float.

use rust_decimal::Decimal;

use super::Wrong;
use crate::Json;

const WRONG: &str = "must be a number";
/// Digits before the point, and significant digits at all, that a value may have.
const MAX_WHOLE_DIGITS: i64 = 18;
const MAX_DIGITS: usize = 28;

pub(super) fn read(value: &Json<'_>) -> Result<Decimal, Wrong> {
    match value {
        Json::Number(text) => exact(text),
        Json::String(text) => exact(&without_groups(text.trim()).ok_or(WRONG)?),
        _ => Err(WRONG.into()),
    }
}

/// Takes the commas out of "1,234,567.50"; `None` when they are not where thousands end.
fn without_groups(text: &str) -> Option<String> {
    if !text.contains(',') {
        return Some(text.to_owned());
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.split_once('.').map_or(unsigned, |(whole, _)| whole);
    let mut groups = whole.split(',');
    let first_fits = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    let fraction_fits = unsigned.len() == whole.len() || !unsigned[whole.len()..].contains(',');
    let grouped = first_fits && fraction_fits && groups.all(|group| group.len() == 3);
    grouped.then(|| text.replace(',', ""))
}

/// Reads `-12.5e3` exactly.
fn exact(text: &str) -> Result<Decimal, Wrong> {
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, small_integer(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(WRONG.into());
    }
    // The value is `digits` × 10^-scale, without zeros at either end of the digits.
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let digits = significant.trim_end_matches('0');
    let scale = i64::try_from(fraction.len()).map_err(|_| WRONG)?
        - exponent
        - i64::try_from(significant.len() - digits.len()).map_err(|_| WRONG)?;
    if digits.is_empty() {
        return Ok(Decimal::ZERO);
    }
    let whole_digits = i64::try_from(digits.len()).map_err(|_| WRONG)? - scale;
    if whole_digits > MAX_WHOLE_DIGITS {
        return Err(format!("must have at most {MAX_WHOLE_DIGITS} digits before the decimal point").into());
    }
    let too_precise = || Wrong::from(format!("must have at most {MAX_DIGITS} digits"));
    if digits.len() > MAX_DIGITS || scale > MAX_DIGITS as i64 {
        return Err(too_precise());
    }
    let mut number: i128 = digits.parse().map_err(|_| WRONG)?;
    if scale < 0 {
        // At most 18 digits in all, as checked above.
        number *= 10_i128.pow(u32::try_from(-scale).map_err(|_| WRONG)?);
    }
    let scale = u32::try_from(scale.max(0)).map_err(|_| WRONG)?;
    Decimal::try_from_i128_with_scale(if negative { -number } else { number }, scale).map_err(|_| too_precise())
}

fn small_integer(text: &str) -> Result<i64, Wrong> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(WRONG.into());
    }
    // An exponent with more digits is out of every bound; saturating keeps the sign's meaning.
    let size = digits.trim_start_matches('0');
    let size = if size.len() > 6 { 1_000_000 } else { format!("0{size}").parse().map_err(|_| WRONG)? };
    Ok(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, exact) in [
            ("45", "45"),
            ("-0", "0"),
            ("0.0", "0"),
            ("1e3", "1000"),
            ("1.50", "1.5"),
            ("-12.5E+2", "-1250"),
            ("007", "7"),
            ("0.1234567890123456789012345678", "0.1234567890123456789012345678"),
            ("1,234,567.50", "1234567.5"),
            ("999999999999999999", "999999999999999999"),
            ("0e999999999999", "0"),
            ("120e-2", "1.2"),
        ] {
            assert_eq!(read(&Json::String(text.into())).unwrap().to_string(), exact, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "NaN",
            "Infinity",
            "-inf",
            "1e",
            "e5",
            "1.",
            ".5",
            "+5",
            "--5",
            "0x10",
            "1_000",
            "$5",
            "5%",
            "1,23",
            ",123",
            "1,2345",
            "1.5,000",
            "1 000",
            "٣",
            "1e1.5",
            "forty",
            "1e999999999",
            "1e-999999999",
            "1000000000000000000",
            "0.12345678901234567890123456789",
        ] {
            assert!(read(&Json::String(text.into())).is_err(), "{text}");
        }
        assert!(read(&Json::Bool(true)).is_err());
        assert!(read(&Json::Array(vec![])).is_err());
    }
}
