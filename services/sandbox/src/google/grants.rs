//! Codes: what a browser carries from the page to the client, once.

use std::collections::HashMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use super::{Person, keys};

const GOOD_FOR: TimeDelta = TimeDelta::minutes(1);
const AT_MOST: usize = 1_000;
/// Base64 of a SHA-256.
const CHALLENGE: usize = 43;

/// What a client asks of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) response_type: String,
    pub(crate) scope: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) code_challenge: String,
    pub(crate) code_challenge_method: String,
}

/// Why it is not done, for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(pub(crate) &'static str);

impl Asked {
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.redirect().is_none() {
            return Err(Refused("redirect_uri must be on this machine: the sandbox is for development"));
        }
        if self.response_type != "code" || !self.scope.split(' ').any(|word| word == "openid") {
            return Err(Refused("response_type must be code, and scope have openid"));
        }
        if self.code_challenge_method != "S256" || self.code_challenge.len() != CHALLENGE {
            return Err(Refused("a code_challenge with the method S256 is needed"));
        }
        Ok(())
    }

    /// Where browsers are sent back to, if that is allowed.
    pub(crate) fn redirect(&self) -> Option<Url> {
        let url = Url::parse(&self.redirect_uri).ok()?;
        let here = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        (here && matches!(url.scheme(), "http" | "https") && url.fragment().is_none()).then_some(url)
    }
}

/// What a code stands for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(super) person: Person,
    pub(super) nonce: String,
    redirect_uri: String,
    challenge: String,
    until: DateTime<Utc>,
}

impl Grant {
    pub(super) fn new(asked: &Asked, person: Person, now: DateTime<Utc>) -> Self {
        Self {
            person,
            nonce: asked.nonce.clone(),
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.code_challenge.clone(),
            until: now + GOOD_FOR,
        }
    }

    /// Whether it is for whoever has this verifier and address.
    fn is_for(&self, verifier: &str, redirect_uri: &str) -> bool {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        (43..=128).contains(&verifier.len()) && challenge == self.challenge && redirect_uri == self.redirect_uri
    }
}

#[derive(Default)]
pub(super) struct Grants(HashMap<String, Grant>);

impl Grants {
    pub(super) fn add(&mut self, grant: Grant) -> anyhow::Result<String> {
        self.0.retain(|_, other| other.until + GOOD_FOR > grant.until);
        anyhow::ensure!(self.0.len() < AT_MOST, "too many codes");
        let code = keys::random_text()?;
        self.0.insert(code.clone(), grant);
        Ok(code)
    }

    /// Uses a code up, whether it is right or not.
    pub(super) fn take(&mut self, code: &str, verifier: &str, redirect_uri: &str, now: DateTime<Utc>) -> Option<Grant> {
        let grant = self.0.remove(code)?;
        (grant.until > now && grant.is_for(verifier, redirect_uri)).then_some(grant)
    }
}
