//! Errors of the use cases as answers. README.md has the table of codes.

use axum::http::StatusCode;
use leadflow_ingest_domain::{FieldErrors, JsonError, PostError};
use leadflow_platform::ApiError;

use crate::{
    app::{authenticate::AuthError, look_up::LookUpError, post_lead::PostRefused},
    outbound::publisher::PublishError,
    store::limit::Exceeded,
};

/// Seconds after which a caller may try again when something is away.
const RETRY_SECONDS: u64 = 1;

/// What a caller lacks, in the words of HTTP.
const CHALLENGE: &str = r#"ApiKey realm="leadflow", header="X-API-Key""#;

pub(super) fn no_key() -> ApiError {
    ApiError::unauthorized("api_key_missing", "send your API key in the header X-API-Key", CHALLENGE)
}

pub(super) fn bad_key() -> ApiError {
    ApiError::unauthorized("api_key_invalid", AuthError::UnknownKey.to_string(), CHALLENGE)
}

pub(super) fn unauthenticated(error: AuthError) -> ApiError {
    let sentence = error.to_string();
    match error {
        AuthError::Starting => ApiError::unavailable("starting", sentence, RETRY_SECONDS),
        AuthError::UnknownKey => bad_key(),
        AuthError::ExpiredKey => ApiError::unauthorized("api_key_expired", sentence, CHALLENGE),
        AuthError::SupplierInactive => ApiError::new(StatusCode::FORBIDDEN, "supplier_inactive", sentence),
        AuthError::SellerInactive => ApiError::new(StatusCode::FORBIDDEN, "seller_inactive", sentence),
    }
}

pub(super) fn too_many(exceeded: Exceeded, whose: &str) -> ApiError {
    let sentence = format!("at most {} requests a second are allowed for this {whose}", exceeded.per_second);
    // Whole seconds, never zero: a caller who comes back at once would only be refused again.
    ApiError::too_many("rate_limited", sentence, exceeded.wait.as_secs() + 1)
}

pub(super) fn too_many_bodies() -> ApiError {
    let sentence = "too many requests of this supplier have begun and not sent their body yet";
    ApiError::too_many("too_many_bodies", sentence, RETRY_SECONDS)
}

pub(super) fn overloaded() -> ApiError {
    ApiError::unavailable("overloaded", "too many requests are being worked on", RETRY_SECONDS)
}

pub(super) fn refused(refused: PostRefused) -> ApiError {
    let sentence = refused.to_string();
    match refused {
        PostRefused::Body(error) => {
            let code = match error {
                PostError::NotUtf8 => "body_not_utf8",
                PostError::Json(JsonError::Syntax { .. }) => "malformed_json",
                PostError::Json(JsonError::DuplicateName) => "duplicate_name",
                PostError::Json(JsonError::TooDeep) => "too_deep",
                PostError::NotAnObject => return invalid(&FieldErrors::default(), sentence),
            };
            ApiError::new(StatusCode::BAD_REQUEST, code, sentence)
        }
        PostRefused::Invalid(errors) => invalid(&errors, sentence),
        PostRefused::CampaignUnknown => ApiError::new(StatusCode::NOT_FOUND, "campaign_unknown", sentence),
        PostRefused::CategoryNotAllowed => ApiError::new(StatusCode::FORBIDDEN, "category_not_allowed", sentence),
        PostRefused::CategoryMissing => ApiError::unavailable("category_not_loaded", sentence, RETRY_SECONDS),
        PostRefused::KeyReused => ApiError::new(StatusCode::CONFLICT, "idempotency_key_reused", sentence),
        PostRefused::NotStored(PublishError::Overloaded) => overloaded(),
        PostRefused::NotStored(_) => ApiError::unavailable(
            "not_stored",
            "the lead could not be stored now; send it again, with the same Idempotency-Key or reference if it has one",
            RETRY_SECONDS,
        ),
    }
}

pub(super) fn not_found(error: &LookUpError) -> ApiError {
    match error {
        LookUpError::Unknown => ApiError {
            retry_after: Some(RETRY_SECONDS),
            ..unknown_lead(
                "no lead of yours with this id or reference is decided; if one was accepted it is not listed yet: \
                 ask again, or at the statusUrl of its 202, which knows it",
            )
        },
        LookUpError::OtherBody => ApiError::new(
            StatusCode::CONFLICT,
            "idempotency_key_reused",
            "another body came first under this key and is the lead; this one had no effect",
        ),
        LookUpError::Unavailable => {
            ApiError::unavailable("lookup_unavailable", "decisions cannot be looked up now", RETRY_SECONDS)
        }
    }
}

pub(super) fn no_lead() -> ApiError {
    unknown_lead("this is not the id of a lead")
}

fn unknown_lead(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "lead_unknown", sentence)
}

fn invalid(errors: &FieldErrors, sentence: String) -> ApiError {
    let fields = errors.iter().map(|(path, message)| (path.to_owned(), message.to_owned())).collect();
    ApiError::invalid("validation_failed", sentence, fields)
}
