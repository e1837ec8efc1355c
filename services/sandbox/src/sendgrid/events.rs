//! The signed event webhook.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use leadflow_outbound_http::Client;
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::mail::Mail;

/// A `SubjectPublicKeyInfo` of a key on P-256 begins with this; the point follows, uncompressed.
const HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key to sign with: base64 of its PKCS #8 form.
pub(crate) fn new_key() -> anyhow::Result<String> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    Ok(STANDARD.encode(key.map_err(|_| anyhow::anyhow!("no key could be made"))?))
}

/// Signs events.
pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    /// With a key, base64 of its PKCS #8 form, or a new one.
    pub(crate) fn new(key: Option<&str>) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let made = if key.is_none() { new_key()? } else { String::new() };
        let der = STANDARD.decode(key.unwrap_or(&made)).context("SANDBOX_SENDGRID_WEBHOOK_KEY is no base64")?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random)
            .map_err(|_| anyhow::anyhow!("the key that SendGrid's events are signed with is not one on P-256"))?;
        Ok(Self { pair, random })
    }

    /// What receivers check with, as SendGrid shows it.
    pub(crate) fn public_key(&self) -> String {
        STANDARD.encode([&HEAD[..], self.pair.public_key().as_ref()].concat())
    }

    /// Any number.
    pub(crate) fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        // Ids need not be secret.
        let _ = self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The headers of a call with `body` now.
    pub(crate) fn headers(&self, body: &[u8], now: DateTime<Utc>) -> HeaderMap {
        let timestamp = now.timestamp().to_string();
        let signed = [timestamp.as_bytes(), body].concat();
        let signature = self.pair.sign(&self.random, &signed).map(|it| STANDARD.encode(it)).unwrap_or_default();
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-twilio-email-event-webhook-signature", value(&signature));
        headers.insert("x-twilio-email-event-webhook-timestamp", value(&timestamp));
        headers
    }
}

/// One event of a mail, as it is told; `more` is what only some have (a reason, a type).
pub(crate) fn body(mail: &Mail, event: &str, event_id: &str, more: &Value, now: DateTime<Utc>) -> Vec<u8> {
    let mut told = json!({
        "email": mail.to.first(),
        "timestamp": now.timestamp(),
        "event": event,
        "sg_event_id": event_id,
        "sg_message_id": format!("{}.recvd-sandbox-1", mail.provider_id.as_deref().unwrap_or_default()),
        "category": mail.categories,
    });
    for (name, value) in &mail.custom_args {
        told[name] = value.as_str().into();
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        told[name] = value.clone();
    }
    // A line end after it, as the real one has it: who signs or checks something else than the very bytes is found out.
    format!("[{told}]\r\n").into_bytes()
}

/// Tells `url`; a call that fails is not repeated.
pub(crate) async fn send(client: &Client, url: &str, headers: HeaderMap, body: Vec<u8>) -> Option<u16> {
    match client.post(url, headers, body.into()).await {
        Ok(answer) => Some(answer.status),
        Err(error) => {
            tracing::warn!(%error, "SendGrid's event could not be told");
            None
        }
    }
}
