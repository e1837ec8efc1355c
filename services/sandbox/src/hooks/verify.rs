//! Checking signatures as a receiver would, from the published rules and without the sender's code.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Made with the secret over exactly this.
    Valid,
    /// Present and wrong.
    Invalid,
    /// Not there.
    Missing,
    /// The sandbox was not told the secret.
    Unchecked,
}

impl Verdict {
    /// As a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Missing => "missing",
            Self::Unchecked => "unchecked",
        }
    }
}

/// The key of a secret: the base64 after `whsec_`, or the text's bytes.
pub(super) fn key(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

/// `X-Webhook-Signature`: hex over the body.
pub(super) fn plain(key: Option<&[u8]>, signature: Option<&str>, body: &[u8]) -> Verdict {
    judge(key, signature, |key, signature| hex::decode(signature).is_ok_and(|mac| mac_matches(key, &[body], &mac)))
}

/// `webhook-signature`: space-separated `v1,<base64>` over `id.timestamp.body`.
pub(super) fn standard(
    key: Option<&[u8]>,
    signature: Option<&str>,
    id: Option<&str>,
    timestamp: Option<&str>,
    body: &[u8],
) -> Verdict {
    judge(key, signature, |key, signature| {
        let (Some(id), Some(timestamp)) = (id, timestamp) else { return false };
        signature
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"))
            .filter_map(|encoded| STANDARD.decode(encoded).ok())
            .any(|mac| mac_matches(key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body], &mac))
    })
}

fn judge(key: Option<&[u8]>, signature: Option<&str>, valid: impl Fn(&[u8], &str) -> bool) -> Verdict {
    match (key, signature) {
        (_, None) => Verdict::Missing,
        (None, Some(_)) => Verdict::Unchecked,
        (Some(key), Some(signature)) if valid(key, signature) => Verdict::Valid,
        _ => Verdict::Invalid,
    }
}

fn mac_matches(key: &[u8], parts: &[&[u8]], expected: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(expected).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_example_verifies_and_any_change_does_not() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#.as_slice());
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let check = |signature: Option<&str>, id: &str, time: &str, body: &[u8]| {
            standard(key.as_deref(), signature, Some(id), Some(time), body)
        };
        assert_eq!(check(Some(signature), id, "1614265330", body), Verdict::Valid);
        let rotated = format!("v1,AAAA {signature}");
        assert_eq!(check(Some(&rotated), id, "1614265330", body), Verdict::Valid);
        assert_eq!(check(Some(signature), "msg_other", "1614265330", body), Verdict::Invalid);
        assert_eq!(check(Some(signature), id, "1614265331", body), Verdict::Invalid);
        assert_eq!(check(Some(signature), id, "1614265330", b"{}"), Verdict::Invalid);
        assert_eq!(check(None, id, "1614265330", body), Verdict::Missing);
        assert_eq!(standard(None, Some(signature), Some(id), Some("1"), body), Verdict::Unchecked);
    }
}
