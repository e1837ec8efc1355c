//! Keys that id tokens are signed with: ES256, made at start. (Google's are RS256; a client takes both.)

use anyhow::anyhow;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

/// A key with its name.
pub(super) struct SigningKey {
    id: String,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    pub(super) fn new() -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let unusable = |_| anyhow!("no key could be made");
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| anyhow!("no randomness"))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Ok(Self { id: random_text()?, pair: pair.map_err(unusable)? })
    }

    /// As clients see it.
    pub(super) fn public(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let point = self.pair.public_key().as_ref();
        let part = |range| point.get(range).map(|bytes| BASE64_URL_SAFE_NO_PAD.encode::<&[u8]>(bytes));
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id, "x": part(1..33), "y": part(33..65) })
    }

    /// A signed token; with `foreign`, one that another key of the same name signed.
    pub(super) fn sign(&self, claims: &Value, foreign: Option<&Self>) -> anyhow::Result<String> {
        let header = json!({ "alg": "ES256", "kid": self.id, "typ": "JWT" });
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signer = &foreign.unwrap_or(self).pair;
        let signature = signer.sign(&SystemRandom::new(), message.as_bytes()).map_err(|_| anyhow!("cannot sign"))?;
        Ok(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A token that nobody signed.
pub(super) fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", encoded(&json!({ "alg": "none", "typ": "JWT" })), encoded(claims))
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Text that nobody guesses.
pub(super) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 24];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("no randomness"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
