//! The code that a seller gives to those who shall become its buyers.

use chrono::{DateTime, TimeDelta, Utc};

/// Bytes of randomness in a code.
pub const INVITE_BYTES: usize = 10;

/// No I, L, O and U: nothing is taken for another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The text of a code: ten digits and capital letters, 50 random bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteText(String);

impl InviteText {
    /// The code that these random bytes are.
    #[must_use]
    pub fn from_random(bytes: [u8; INVITE_BYTES]) -> Self {
        Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// Reads what somebody typed, without case, spaces and dashes, and with what is easily mistaken put
    /// right. `None` when it cannot be a code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = String::with_capacity(INVITE_BYTES);
        for typed in text.chars().filter(|c| !matches!(c, ' ' | '-')) {
            let letter = match typed.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            if code.len() == INVITE_BYTES || !letter.is_ascii() || !ALPHABET.contains(&(letter as u8)) {
                return None;
            }
            code.push(letter);
        }
        (code.len() == INVITE_BYTES).then_some(Self(code))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A seller's code as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The code.
    pub text: InviteText,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Invite {
    /// The longest that a code with an end works: a year.
    pub const MAX_HOURS: u32 = 366 * 24;

    /// A new code that works for `hours`, or for ever (0).
    #[must_use]
    pub fn new(text: InviteText, hours: u32, now: DateTime<Utc>) -> Self {
        let expires_at = (hours > 0).then(|| now + TimeDelta::hours(hours.into()));
        Self { text, created_at: now, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn typing_it_in_other_ways_is_the_same_code() {
        let code = InviteText::from_random([0, 1, 10, 33, 31, 255, 17, 18, 19, 20]);
        assert_eq!(code.as_str(), "01A1ZZHJKM");
        for typed in ["01a1zzhjkm", "01A1Z-ZHJKM", " 0iaLzz hjkm", "OlAIZZHJKM"] {
            assert_eq!(InviteText::parse(typed).as_ref(), Some(&code), "{typed}");
        }
        for other in ["", "01A1ZZHJK", "01A1ZZHJKMM", "01A1ZZHJK!", "01A1ZZHJKU", "01A1ZZHJKé", "01A1ZZHJK\n"] {
            assert_eq!(InviteText::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_code_reads_back(bytes: [u8; INVITE_BYTES]) {
            let code = InviteText::from_random(bytes);
            prop_assert_eq!(InviteText::parse(&code.as_str().to_lowercase()), Some(code));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = InviteText::parse(&text);
        }
    }
}
