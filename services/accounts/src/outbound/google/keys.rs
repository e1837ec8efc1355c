//! The keys that id tokens are signed with. The provider replaces them now and then.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use tokio::sync::Mutex;
use url::Url;

use super::{Google, GoogleError, token::Unsigned};

/// A key that was withdrawn is used no longer than this.
const GOOD_FOR: TimeDelta = TimeDelta::hours(1);
/// Keys are asked for at most this often because of one that we do not know: a token may name any.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// The keys as they were last read.
#[derive(Default)]
pub(super) struct Keys(Mutex<Option<(JwkSet, DateTime<Utc>)>>);

/// A key, and the one algorithm that it is used with.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Keys {
    /// The key that a token says it is signed with. One that is not known may be new, so they are read again.
    pub(super) async fn find(
        &self,
        google: &Google,
        uri: &Url,
        token: &Unsigned,
        now: DateTime<Utc>,
    ) -> Result<Key, GoogleError> {
        let mut known = self.0.lock().await;
        if let Some((keys, read_at)) = &*known
            && now - *read_at < GOOD_FOR
        {
            if let Some(key) = find(keys, token) {
                return Ok(key);
            }
            if now - *read_at < AGAIN_AFTER {
                return Err(unknown());
            }
        }
        let (keys, _) = known.insert((google.get(uri.as_str()).await?, now));
        find(keys, token).ok_or_else(unknown)
    }
}

fn unknown() -> GoogleError {
    GoogleError::Token("it is signed with a key that its issuer does not show".to_owned())
}

fn find(keys: &JwkSet, token: &Unsigned) -> Option<Key> {
    let mut fitting = keys.keys.iter().filter(|key| match &token.key_id {
        Some(id) => key.common.key_id.as_ref() == Some(id),
        None => true,
    });
    let first = fitting.next()?;
    // Without a name there must be no choice.
    if fitting.next().is_some() {
        return None;
    }
    usable(first).filter(|key| key.algorithm == token.algorithm)
}

/// The key with the algorithm that goes with its kind. What the token says does not choose it.
fn usable(jwk: &Jwk) -> Option<Key> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let for_signing = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let for_this = jwk.common.key_algorithm.is_none_or(|said| said == named);
    if !(for_signing && for_this) {
        return None;
    }
    DecodingKey::from_jwk(jwk).ok().map(|key| Key { algorithm, key })
}
