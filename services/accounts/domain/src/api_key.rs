//! A supplier's API key: its text, and what is remembered of it.

use std::fmt;

use chrono::{DateTime, Utc};
use leadflow_kernel::ApiKeyId;

/// Keys of one supplier that may work at one time.
pub const MAX_LIVE_KEYS: usize = 5;
/// The longest that old keys go on working after a rotation: 30 days.
pub const MAX_OVERLAP_SECONDS: u32 = 30 * 24 * 60 * 60;
/// Bytes of randomness in a key.
pub const RANDOM_BYTES: usize = 32;

const PREFIX: &str = "sk_";
/// No punctuation, so that a double click selects the whole key.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is just above 2^256.
const DIGITS: usize = 43;
/// Characters of the text that its hint shows, after the prefix.
const HINT_DIGITS: usize = 5;

/// `prefix` and the number in 43 digits and letters: every bit of it is there.
pub(crate) fn base62(prefix: &str, mut number: [u8; RANDOM_BYTES]) -> String {
    let mut digits = [0_u8; DIGITS];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u16;
        for byte in &mut number {
            let value = (remainder << 8) | u16::from(*byte);
            // Both fit: the quotient of a number below 62 * 256 by 62 is below 256.
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = ALPHABET[usize::from(remainder)];
    }
    let mut text = String::with_capacity(prefix.len() + DIGITS);
    text.push_str(prefix);
    text.extend(digits.iter().map(|&b| char::from(b)));
    text
}

/// The secret text of a key. Printing it for debugging shows only the hint.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl KeyText {
    /// The key that these random bytes are: `sk_` and 43 characters, every bit of them used.
    #[must_use]
    pub fn from_random(number: [u8; RANDOM_BYTES]) -> Self {
        Self(base62(PREFIX, number))
    }

    /// The text, to be shown once and hashed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The first characters, to recognise it by: far too few to guess the rest from.
    #[must_use]
    pub fn hint(&self) -> String {
        self.0[..PREFIX.len() + HINT_DIGITS].to_owned()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.hint())
    }
}

/// What is remembered of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, made by the caller.
    pub id: ApiKeyId,
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
    /// Its first characters.
    pub hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working by itself; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Whether it opens the door at `now`.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smallest_and_the_largest_number_have_the_same_length() {
        assert_eq!(KeyText::from_random([0; 32]).reveal(), format!("sk_{}", "0".repeat(43)));
        let largest = KeyText::from_random([255; 32]);
        assert_eq!(largest.reveal().len(), 46);
        // 2^256 - 1 in base 62, worked out by other means.
        assert_eq!(largest.reveal(), "sk_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }

    #[test]
    fn debugging_output_does_not_show_the_key() {
        let key = KeyText::from_random([7; 32]);
        assert!(!format!("{key:?}").contains(&key.reveal()[10..]));
    }

    proptest! {
        #[test]
        fn no_randomness_is_lost(a: [u8; 32], b: [u8; 32]) {
            let (x, y) = (KeyText::from_random(a), KeyText::from_random(b));
            prop_assert_eq!(a == b, x == y);
            prop_assert!(x.reveal()[3..].bytes().all(|c| c.is_ascii_alphanumeric()));
            // The digits and the bytes sort alike, so the conversion is the number itself.
            prop_assert_eq!(a.cmp(&b), x.reveal().cmp(y.reveal()));
        }
    }
}
