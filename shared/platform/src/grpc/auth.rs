//! The service token and the tenant, as call metadata.

use leadflow_kernel::SellerId;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
};

use super::status;
use crate::audit::{Actor, ActorRole};

pub(super) const AUTHORIZATION: &str = "authorization";
pub(super) const TENANT: &str = "x-leadflow-tenant";
/// Metadata that names the user who acts, for the record of who changed what. The caller has checked it.
pub const ACTOR: &str = "x-leadflow-actor";
/// Metadata that says what that user is (see [`ActorRole::code`]).
pub const ACTOR_ROLE: &str = "x-leadflow-actor-role";
pub(super) const TRACEPARENT: &str = "traceparent";

/// The secret that services show each other; several while one replaces another: the first is shown, all are accepted.
/// Never printed.
#[derive(Clone, Default)]
pub struct ServiceToken(Vec<String>);

impl ServiceToken {
    /// Wraps the secret, or several, comma-separated.
    #[must_use]
    pub fn new(secrets: impl AsRef<str>) -> Self {
        Self(secrets.as_ref().split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect())
    }

    /// A key for `purpose` and nothing else, which says nothing about the secret: what seals or signs.
    #[must_use]
    pub fn derive_key(&self, purpose: &str) -> [u8; 32] {
        derive(self.first(), purpose)
    }

    /// The keys for `purpose` of all the secrets, the one that seals first: what opens or verifies.
    #[must_use]
    pub fn derive_keys(&self, purpose: &str) -> Vec<[u8; 32]> {
        self.0.iter().map(|secret| derive(secret, purpose)).collect()
    }

    /// The shortest of the secrets has so many bytes.
    pub(crate) fn shortest(&self) -> usize {
        self.0.iter().map(String::len).min().unwrap_or(0)
    }

    fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.first())
    }

    pub(super) fn check<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let shown =
            request.metadata().get(AUTHORIZATION).map(tonic::metadata::MetadataValue::as_bytes).unwrap_or_default();
        // Closed by default: without a secret nobody is let in. All are compared, whichever is right.
        let good = self.0.iter().fold(Choice::from(0), |good, secret| {
            good | shown.ct_eq([b"Bearer ", secret.as_bytes()].concat().as_slice())
        });
        if bool::from(good) {
            Ok(())
        } else {
            Err(status(
                Code::Unauthenticated,
                "bad_service_token",
                "the service token is missing or wrong (setting SERVICE_TOKEN)",
            ))
        }
    }
}

fn derive(secret: &str, purpose: &str) -> [u8; 32] {
    Sha256::new().chain_update(purpose).chain_update([0]).chain_update(secret).finalize().into()
}

impl std::fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceToken(…)")
    }
}

/// The tenant a call is for.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is missing or malformed.
pub fn tenant<T>(request: &Request<T>) -> Result<SellerId, Status> {
    request
        .metadata()
        .get(TENANT)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| status(Code::InvalidArgument, "tenant_missing", "x-leadflow-tenant must be a seller's id"))
}

/// The tenant a call is for, if it is for one.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is malformed.
pub fn optional_tenant<T>(request: &Request<T>) -> Result<Option<SellerId>, Status> {
    if request.metadata().contains_key(TENANT) { tenant(request).map(Some) } else { Ok(None) }
}

/// The user who acts, if the call says.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is malformed.
pub fn actor<T>(request: &Request<T>) -> Result<Option<Actor>, Status> {
    let Some(value) = request.metadata().get(ACTOR) else { return Ok(None) };
    let text = |value: &MetadataValue<Ascii>| value.to_str().ok().map(str::to_owned);
    let malformed = |sentence| status(Code::InvalidArgument, "actor_malformed", sentence);
    let user = text(value)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed("x-leadflow-actor must be a user's id"))?;
    let role = match request.metadata().get(ACTOR_ROLE) {
        None => None,
        Some(value) => {
            let role = text(value).and_then(|text| ActorRole::from_code(&text));
            Some(role.ok_or_else(|| malformed("x-leadflow-actor-role must be a role"))?)
        }
    };
    Ok(Some(Actor { user, role }))
}

/// The trace context a call came with.
#[must_use]
pub fn traceparent<T>(request: &Request<T>) -> Option<&str> {
    request.metadata().get(TRACEPARENT).and_then(|value| value.to_str().ok())
}
