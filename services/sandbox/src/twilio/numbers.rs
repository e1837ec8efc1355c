//! Phone numbers, and those that always go wrong.

use super::error::TwilioError;

/// From which its test credentials send.
pub(crate) const SENDER: &str = "+15005550006";

/// Whether it is one in E.164; in North America, one that can exist.
pub(super) fn is_number(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    if !(8..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with('0') {
        return false;
    }
    match digits.strip_prefix('1').map(str::as_bytes) {
        Some(national) => national.len() == 10 && national[0] > b'1' && national[3] > b'1',
        None => true,
    }
}

/// What always becomes of messages to some numbers.
pub(super) fn magic_to(to: &str, from: &str) -> Option<TwilioError> {
    Some(match to {
        "+15005550001" => invalid_to(to),
        "+15005550002" => TwilioError::bad(
            21612,
            format!(
                "The 'To' phone number: {to}, is not currently reachable using the 'From' phone number: {from} via SMS."
            ),
        ),
        "+15005550003" => TwilioError::bad(
            21408,
            format!(
                "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}."
            ),
        ),
        "+15005550004" => unsubscribed(),
        "+15005550009" => TwilioError::bad(21614, format!("'To' number: {to}, is not a valid mobile number")),
        _ => return None,
    })
}

/// Likewise from some.
pub(super) fn magic_from(from: &str) -> Option<TwilioError> {
    Some(match from {
        "+15005550001" => invalid_from(from),
        "+15005550007" => TwilioError::bad(
            21606,
            format!(
                "The From phone number {from} is not a valid, SMS-capable inbound phone number or short code for your account."
            ),
        ),
        "+15005550008" => {
            TwilioError::bad(21611, "This 'From' number has exceeded the maximum number of queued messages")
        }
        _ => return None,
    })
}

pub(super) fn invalid_to(to: &str) -> TwilioError {
    TwilioError::bad(21211, format!("The 'To' number {to} is not a valid phone number."))
}

pub(super) fn invalid_from(from: &str) -> TwilioError {
    TwilioError::bad(
        21212,
        format!("The 'From' number {from} is not a valid phone number, shortcode, or alphanumeric sender ID."),
    )
}

pub(super) fn unsubscribed() -> TwilioError {
    TwilioError::bad(21610, "Attempt to send to unsubscribed recipient")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_is_none() {
        for good in ["+12125550123", "+15005550006", "+41446681800", "+442079460000"] {
            assert!(is_number(good), "{good}");
        }
        for bad in [
            "",
            "+",
            "12125550123",
            "+0123456789",
            "+1212555012",
            "+121255501234",
            "+11125550123",
            "+12121550123",
            "+44 20 7946 0000",
            "+4412345678901234",
            "(212) 555-0123",
            "+١٢٣٤٥٦٧٨٩",
        ] {
            assert!(!is_number(bad), "{bad}");
        }
    }
}
