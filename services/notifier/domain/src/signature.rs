//! How a receiver can tell that a request is ours.
//!
//! Two signatures travel with every request. `X-Webhook-Signature` is the hex HMAC-SHA256 of the
//! exact body. `webhook-signature` is that of [Standard Webhooks](https://www.standardwebhooks.com):
//! `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, which also protects against replays.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long what is sent is signed with the secret before, too, when a new one is made.
pub const OLD_SECRET_FOR: TimeDelta = TimeDelta::hours(24);

const PREFIX: &str = "whsec_";

/// The key shared with one receiver: `whsec_` and the base64 of 24 to 64 bytes (the key is those
/// bytes), or any other text of 16 to 256 characters (the key is its bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

/// Why a text is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not base64, or of fewer than 24 or more than 64 bytes.
    #[error("must be \"whsec_\" and the base64 of 24 to 64 bytes")]
    Encoded,
    /// Too short or too long.
    #[error("must be 16 to 256 characters long")]
    Length,
    /// Control characters do not survive copying.
    #[error("must not contain control characters")]
    Control,
}

impl Secret {
    /// Reads a secret.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let key = if let Some(encoded) = text.strip_prefix(PREFIX) {
            let key = STANDARD.decode(encoded).map_err(|_| SecretError::Encoded)?;
            if !(24..=64).contains(&key.len()) {
                return Err(SecretError::Encoded);
            }
            key
        } else {
            if !(16..=256).contains(&text.chars().count()) {
                return Err(SecretError::Length);
            }
            if text.chars().any(char::is_control) {
                return Err(SecretError::Control);
            }
            text.as_bytes().to_vec()
        };
        Ok(Self { text: text.to_owned(), key })
    }

    /// The secret made of these random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self { text: format!("{PREFIX}{}", STANDARD.encode(bytes)), key: bytes.to_vec() }
    }

    /// As its owner sees it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of `X-Webhook-Signature`.
    #[must_use]
    pub fn sign_body(&self, body: &[u8]) -> String {
        hex::encode(self.mac(&[body]))
    }

    /// The value of `webhook-signature`; `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn sign_standard(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let mac = self.mac(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
        format!("v1,{}", STANDARD.encode(mac))
    }

    fn mac(&self, parts: &[&[u8]]) -> Vec<u8> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            unreachable!("HMAC takes a key of any length")
        };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_example_verifies() {
        // From the Standard Webhooks reference libraries' test vectors.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            secret.sign_standard("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_plain_signature_is_the_hex_hmac_of_the_body() {
        // As `printf '{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef` says.
        let secret = Secret::parse("0123456789abcdef").unwrap();
        assert_eq!(secret.sign_body(br#"{"a":1}"#), "1c76fbb930d3aa8b1633728fae212c68ca68a6752bb319b98be6fe17e86cf5b8");
    }

    #[test]
    fn secrets_have_bounds() {
        let encoded = |n| format!("whsec_{}", STANDARD.encode(vec![7_u8; n]));
        for good in [encoded(24), encoded(64), "x".repeat(16), "ü".repeat(256)] {
            assert!(Secret::parse(&good).is_ok(), "{good}");
        }
        for (bad, error) in [
            (encoded(23), SecretError::Encoded),
            (encoded(65), SecretError::Encoded),
            ("whsec_???".to_owned(), SecretError::Encoded),
            ("x".repeat(15), SecretError::Length),
            ("x".repeat(257), SecretError::Length),
            ("0123456789abcde\n".to_owned(), SecretError::Control),
            (String::new(), SecretError::Length),
        ] {
            assert_eq!(Secret::parse(&bad), Err(error), "{bad:?}");
        }
    }

    #[test]
    fn a_made_secret_reads_back_and_is_never_printed() {
        let made = Secret::from_random([42; 32]);
        assert_eq!(Secret::parse(made.text()), Ok(made.clone()));
        assert_eq!(format!("{made:?}"), "Secret(..)");
    }
}
