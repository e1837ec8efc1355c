//! A stand-in for Google as an OpenID provider. Whoever opens its page is whoever he says.

mod grants;
mod keys;
mod misbehaviour;
mod token;

use std::collections::VecDeque;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::{
    grants::{Grant, Grants},
    keys::SigningKey,
};
use crate::config::Config;

pub(crate) use grants::{Asked, Refused};
pub(crate) use misbehaviour::Misbehaviour;
pub(crate) use token::Shown;

/// Below the sandbox's own address.
pub(crate) const PATH: &str = "/google";
/// People that the page offers at most.
const MAX_PEOPLE: usize = 12;

/// Somebody with an account at the stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) name: String,
    /// Whether the address was shown to be his.
    pub(crate) verified: bool,
    /// Whether the address is of his Workspace, so that it is his for sure.
    pub(crate) hosted: bool,
}

/// The provider.
pub(crate) struct Issuer {
    url: String,
    client_id: String,
    client_secret: String,
    /// Newest last; the newest signs.
    keys: Vec<SigningKey>,
    grants: Grants,
    people: VecDeque<Person>,
    misbehaviour: Misbehaviour,
}

impl Issuer {
    /// At `address`, where the sandbox is found.
    pub(crate) fn new(config: &Config, address: &str) -> anyhow::Result<Self> {
        let made_up = [("Sam Seller", "sam@seller.example"), ("Bea Buyer", "bea@buyer.example")];
        Ok(Self {
            url: crate::google_issuer(address),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            keys: vec![SigningKey::new().context("a signing key")?],
            grants: Grants::default(),
            people: made_up
                .map(|(name, email)| Person { email: email.into(), name: name.into(), verified: true, hosted: true })
                .into(),
            misbehaviour: Misbehaviour::default(),
        })
    }

    /// What clients read first.
    pub(crate) fn description(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.url);
        json!({
            "issuer": self.url,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email", "profile"],
        })
    }

    /// The public keys.
    pub(crate) fn keys(&self) -> Value {
        json!({ "keys": self.keys.iter().map(SigningKey::public).collect::<Vec<_>>() })
    }

    /// Signs with a new key from now on; the one before is still shown, older ones are not.
    pub(crate) fn replace_key(&mut self) -> anyhow::Result<()> {
        self.keys.push(SigningKey::new().context("a signing key")?);
        let surplus = self.keys.len().saturating_sub(2);
        self.keys.drain(..surplus);
        Ok(())
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.iter()
    }

    pub(crate) fn misbehave(&mut self, how: Misbehaviour) {
        self.misbehaviour = how;
    }

    /// Lets `person` in: the code that the client gets.
    pub(crate) fn grant(&mut self, asked: &Asked, person: Person, now: DateTime<Utc>) -> Result<String, Refused> {
        self.check(asked)?;
        self.people.retain(|known| known.email != person.email);
        self.people.push_front(person.clone());
        self.people.truncate(MAX_PEOPLE);
        self.grants.add(Grant::new(asked, person, now)).map_err(|_| Refused("too many sign-ins at once"))
    }

    /// Whether a client may ask like this.
    pub(crate) fn check(&self, asked: &Asked) -> Result<(), Refused> {
        if asked.client_id != self.client_id {
            return Err(Refused("client_id is unknown (setting SANDBOX_CLIENT_ID)"));
        }
        asked.check()
    }
}
