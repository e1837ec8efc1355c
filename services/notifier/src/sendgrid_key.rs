//! What SendGrid signs its events with (Signed Event Webhook): ECDSA on P-256 over the timestamp and the body, SHA-256.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

/// A `SubjectPublicKeyInfo` of a key on P-256 begins with this; the point follows, uncompressed.
const HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const POINT: usize = 65;

/// The public half of SendGrid's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKey(Vec<u8>);

impl EventKey {
    /// From what SendGrid shows: base64 of a `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let der = STANDARD.decode(text.trim()).ok()?;
        let point = der.strip_prefix(&HEAD)?;
        (point.len() == POINT && point[0] == 4).then(|| Self(point.to_vec()))
    }

    /// Whether `signature`, base64, is this key's for `timestamp` and `body` as they came.
    #[must_use]
    pub fn verifies(&self, signature: &str, timestamp: &str, body: &[u8]) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        let signed = [timestamp.as_bytes(), body].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(&signed, &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of the tests of SendGrid's own library for Python.
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";

    #[test]
    fn keys_are_read_and_nothing_else_is() {
        assert!(EventKey::parse(KEY).is_some());
        for wrong in ["", "x", &KEY[4..], &KEY[..120], "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"] {
            assert!(EventKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_is_signed_with_it_verifies_and_a_changed_byte_does_not() {
        use ring::{
            rand::SystemRandom,
            signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
        };
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pair.as_ref(), &random).unwrap();
        let key = EventKey::parse(&STANDARD.encode([&HEAD[..], pair.public_key().as_ref()].concat())).unwrap();
        let signature = STANDARD.encode(pair.sign(&random, b"1600112502[{}]\r\n").unwrap());
        assert!(key.verifies(&signature, "1600112502", b"[{}]\r\n"));
        assert!(!key.verifies(&signature, "1600112503", b"[{}]\r\n"));
        assert!(!key.verifies(&signature, "1600112502", b"[{}]"));
        assert!(!key.verifies("AAAA", "1600112502", b"[{}]\r\n"));
        assert!(!EventKey::parse(KEY).unwrap().verifies(&signature, "1600112502", b"[{}]\r\n"));
    }
}
