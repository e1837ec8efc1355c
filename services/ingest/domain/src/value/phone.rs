//! Telephone numbers to E.164.
//!
//! A number with `+` is international: 8 to 15 digits are taken as they are, whether or not today's
//! numbering plan has room for them (plans change, and documents are full of +1234567890). One without
//! is a United States number and has to be a possible one there; `011` starts an international one.
//! An extension is accepted and left out: E.164 has no place for it, and the raw value keeps it.

use phonenumber::country;

use super::Wrong;
use crate::Json;

const WRONG: &str = "must be a phone number, with + and country code or a valid US number";
/// Long enough for any way of writing 15 digits and an extension.
const MAX_BYTES: usize = 64;

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    let text = match value {
        Json::String(text) => text.trim(),
        Json::Number(text) if text.bytes().all(|b| b.is_ascii_digit()) => text,
        _ => return Err(WRONG.into()),
    };
    e164(text).ok_or_else(|| WRONG.into())
}

fn e164(text: &str) -> Option<String> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let number = without_extension(text.strip_prefix("tel:").unwrap_or(text))?.trim_end();
    let (international, number) = match number.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => match number.strip_prefix("011") {
            Some(rest) => (true, rest),
            None => (false, number),
        },
    };
    if !number.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')) {
        return None;
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if international {
        // "+44 (0)20 …": the bracketed zero is dialled only inside the country.
        let digits = digits(&number.replacen("(0)", "", 1));
        let plausible = (8..=15).contains(&digits.len()) && !digits.starts_with('0');
        return plausible.then(|| format!("+{digits}"));
    }
    let digits = digits(number);
    let national = if digits.len() == 11 { digits.strip_prefix('1')? } else { &digits };
    if national.len() != 10 {
        return None;
    }
    let e164 = format!("+1{national}");
    phonenumber::parse(Some(country::US), &e164).ok().filter(phonenumber::PhoneNumber::is_valid)?;
    Some(e164)
}

/// The number before "x123", "ext. 123", "extension 123" or "#123"; `None` when what follows the
/// mark is not an extension.
fn without_extension(text: &str) -> Option<&str> {
    let Some(start) = text.find(['x', 'X', 'e', 'E', '#', ';', ',']) else {
        return Some(text);
    };
    let (number, mark) = text.split_at(start);
    let mark = mark.trim_start_matches([';', ',', ' ']).to_ascii_lowercase();
    let rest = ["extension", "ext", "x", "#"].iter().find_map(|word| mark.strip_prefix(word))?;
    let rest = rest.trim_start_matches(['.', ':', '=', ' ']);
    let is_extension = (1..=8).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit());
    is_extension.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::e164;

    #[test]
    fn ways_of_writing_one_number_are_one_number() {
        for text in [
            "(212) 555-0123",
            "212-555-0123",
            "212.555.0123",
            "2125550123",
            "1 212 555 0123",
            "+1 (212) 555-0123",
            "+12125550123",
            "tel:+1-212-555-0123",
            "212 555 0123 x45",
            "212-555-0123 ext. 45",
            "(212)555-0123 Extension 45",
            "212-555-0123;ext=45",
            "212-555-0123, ext 45",
            "212-555-0123 #45",
            "011 1 212 555 0123",
        ] {
            assert_eq!(e164(text).as_deref(), Some("+12125550123"), "{text}");
        }
        assert_eq!(e164("+44 (0)20 7946 0958").as_deref(), Some("+442079460958"));
        assert_eq!(e164("011 44 20 7946 0958").as_deref(), Some("+442079460958"));
        assert_eq!(e164("+1234567890").as_deref(), Some("+1234567890"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            "5550123",
            "1234567890",
            "0125550123",
            "212555012",
            "21255501234",
            "+0123456789",
            "+1234567",
            "+1234567890123456",
            "call me",
            "212-555-0123 or 212-555-0124",
            "1-800-FLOWERS",
            "+1 212 555 0123 x",
            "--",
            "212-555-0123 ext 123456789",
            "2125550123e5",
            "-2125550123.5",
            "٢١٢٥٥٥٠١٢٣",
            "212 555 0123 xx1",
        ] {
            assert_eq!(e164(text), None, "{text}");
        }
    }
}
