//! Id tokens: signed JSON, in base64.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use leadflow_accounts_domain::IdToken;
use serde::Deserialize;

use super::{GoogleError, keys::Key};

/// What a token says about its signature, before that is looked at.
pub(super) struct Unsigned {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    sub: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    hd: Option<String>,
    name: Option<String>,
}

pub(super) fn read(token: &str) -> Result<Unsigned, GoogleError> {
    let header = decode_header(token).map_err(unusable)?;
    // Extensions that must be understood: we understand none.
    if header.crit.is_some() {
        return Err(GoogleError::Token("it asks for extensions".to_owned()));
    }
    Ok(Unsigned { algorithm: header.alg, key_id: header.kid })
}

/// What the token says, if it is signed with this key. Whether that is what was asked for is another question.
pub(super) fn verify(token: &str, key: &Key) -> Result<IdToken, GoogleError> {
    let mut signature_only = Validation::new(key.algorithm);
    // The domain looks at the claims, with our own clock.
    signature_only.required_spec_claims.clear();
    (signature_only.validate_exp, signature_only.validate_aud) = (false, false);
    let claims = decode::<Claims>(token, &key.key, &signature_only).map_err(unusable)?.claims;
    Ok(IdToken {
        issuer: claims.iss,
        audiences: match claims.aud {
            Audience::One(one) => vec![one],
            Audience::Several(several) => several,
        },
        authorized_party: claims.azp,
        expires_at: claims.exp,
        issued_at: claims.iat,
        nonce: claims.nonce,
        subject: claims.sub,
        email: claims.email,
        email_verified: claims.email_verified,
        hosted_domain: claims.hd,
        name: claims.name,
    })
}

fn unusable(error: jsonwebtoken::errors::Error) -> GoogleError {
    use jsonwebtoken::errors::ErrorKind;
    // Not the parser's words: they may repeat what is in the token.
    let what = match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm => "its algorithm is not its key's",
        _ => "it cannot be read",
    };
    GoogleError::Token(what.to_owned())
}
