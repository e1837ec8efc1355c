//! Where the provider's parts are.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::sync::Mutex;
use url::Url;

use super::{Google, GoogleError};

/// How long what was learnt is used.
const GOOD_FOR: TimeDelta = TimeDelta::hours(1);
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What is used of the provider's own description.
#[derive(Debug, Deserialize)]
pub(super) struct Provider {
    issuer: String,
    #[serde(deserialize_with = "url")]
    pub(super) authorization_endpoint: Url,
    #[serde(deserialize_with = "url")]
    pub(super) token_endpoint: Url,
    #[serde(deserialize_with = "url")]
    pub(super) jwks_uri: Url,
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// The description as it was last read.
#[derive(Default)]
pub(super) struct Discovery(Mutex<Option<(Arc<Provider>, DateTime<Utc>)>>);

impl Discovery {
    /// The description, read again when it is old. Of many who want it at once, one reads it.
    pub(super) async fn provider(&self, google: &Google, now: DateTime<Utc>) -> Result<Arc<Provider>, GoogleError> {
        let mut known = self.0.lock().await;
        if let Some((provider, read_at)) = &*known
            && now - *read_at < GOOD_FOR
        {
            return Ok(Arc::clone(provider));
        }
        let issuer = &google.settings().issuer;
        let provider: Provider = google.get(&format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'))).await?;
        provider.check(issuer)?;
        let provider = Arc::new(provider);
        *known = Some((Arc::clone(&provider), now));
        Ok(provider)
    }
}

impl Provider {
    /// It must speak for the issuer that we know, and be as safe to reach.
    fn check(&self, issuer: &str) -> Result<(), GoogleError> {
        if self.issuer != issuer {
            return Err(GoogleError::Away("its description is another issuer's".to_owned()));
        }
        let plain = issuer.starts_with("http://");
        let safe = |url: &Url| url.scheme() == "https" || (plain && url.scheme() == "http");
        if ![&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri].into_iter().all(safe) {
            return Err(GoogleError::Away("an address in its description is not https".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(issuer: &str, said: &str, token_endpoint: &str) -> bool {
        let provider = Provider {
            issuer: said.to_owned(),
            authorization_endpoint: "https://a.example/auth".parse().unwrap(),
            token_endpoint: token_endpoint.parse().unwrap(),
            jwks_uri: "https://a.example/keys".parse().unwrap(),
        };
        provider.check(issuer).is_ok()
    }

    #[test]
    fn a_description_is_of_its_issuer_and_secrets_go_over_tls() {
        assert!(checked("https://a.example", "https://a.example", "https://t.example/token"));
        assert!(!checked("https://a.example", "https://b.example", "https://t.example/token"));
        assert!(!checked("https://a.example", "https://a.example", "http://t.example/token"));
        assert!(!checked("https://a.example", "https://a.example", "ftp://t.example/token"));
        assert!(checked("http://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1/token"));
    }
}
