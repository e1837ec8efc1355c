//! A code for tokens.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Issuer, Person,
    grants::Grant,
    keys::{self, SigningKey},
    misbehaviour::Signing,
};

const GOOD_FOR: TimeDelta = TimeDelta::hours(1);

/// What a client shows for its tokens.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shown {
    pub(crate) grant_type: String,
    pub(crate) code: String,
    pub(crate) redirect_uri: String,
    pub(crate) code_verifier: String,
}

/// Why there are none: the status, and RFC 6749's word for it.
pub(crate) type NoToken = (StatusCode, &'static str);

impl Issuer {
    /// The answer to a client with these credentials.
    pub(crate) fn tokens(
        &mut self,
        client: Option<(String, String)>,
        shown: &Shown,
        now: DateTime<Utc>,
    ) -> Result<Value, NoToken> {
        if let Some(status) = self.misbehaviour.token_status.and_then(|status| StatusCode::from_u16(status).ok()) {
            return Err((status, "server_error"));
        }
        let known = client.is_some_and(|(id, secret)| id == self.client_id && secret == self.client_secret);
        if !known {
            return Err((StatusCode::UNAUTHORIZED, "invalid_client"));
        }
        if shown.grant_type != "authorization_code" {
            return Err((StatusCode::BAD_REQUEST, "unsupported_grant_type"));
        }
        let grant = self.grants.take(&shown.code, &shown.code_verifier, &shown.redirect_uri, now);
        let grant = grant.ok_or((StatusCode::BAD_REQUEST, "invalid_grant"))?;
        let broken = |_| (StatusCode::INTERNAL_SERVER_ERROR, "server_error");
        let id_token = self.id_token(&grant, now).map_err(broken)?;
        let access_token = keys::random_text().map_err(broken)?;
        Ok(json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": GOOD_FOR.num_seconds(),
            "scope": "openid email profile",
            "id_token": id_token,
        }))
    }

    fn id_token(&self, grant: &Grant, now: DateTime<Utc>) -> anyhow::Result<String> {
        let Person { email, name, verified, hosted } = &grant.person;
        let claims = json!({
            "iss": self.url,
            "aud": self.client_id,
            "azp": self.client_id,
            "sub": subject(email),
            "email": email,
            "email_verified": verified,
            "name": name,
            "nonce": grant.nonce,
            "iat": now.timestamp(),
            "exp": (now + GOOD_FOR).timestamp(),
        });
        let mut claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
        if let Some((_, domain)) = email.rsplit_once('@').filter(|_| *hosted) {
            claims.insert("hd".to_owned(), domain.into());
        }
        self.misbehaviour.apply(&mut claims);
        let claims = Value::Object(claims);
        let key = self.keys.last().ok_or_else(|| anyhow::anyhow!("there is no key"))?;
        match self.misbehaviour.signature {
            Signing::Good => key.sign(&claims, None),
            Signing::Foreign => key.sign(&claims, Some(&SigningKey::new()?)),
            Signing::None => Ok(keys::unsigned(&claims)),
        }
    }
}

/// One address is one account, for ever: its number looks like Google's.
fn subject(email: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(email.to_ascii_lowercase()).into();
    let mut first = [0_u8; 8];
    first.copy_from_slice(&hash[..8]);
    format!("1{:020}", u64::from_be_bytes(first))
}
