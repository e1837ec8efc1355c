//! What went wrong, as the caller is told: the one place where a service's status becomes an answer.

use std::collections::BTreeMap;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use leadflow_platform::{ApiError, grpc::stable_code};
use tonic::{Code, Status};

/// Seconds after which a caller may try again when something is away.
const RETRY_SECONDS: u64 = 1;
/// What a caller lacks, in the words of HTTP.
const CHALLENGE: &str = r#"Bearer realm="leadflow""#;
/// Where a service says how long a throttled caller shall wait.
const RETRY_AFTER: &str = "retry-after-seconds";

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub ApiError);

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}
impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self(of_status(&status))
    }
}
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// 401: nobody is signed in.
pub fn signed_out() -> ApiError {
    ApiError::unauthorized("session_missing", "sign in first: no valid session was shown", CHALLENGE)
}

/// 403: somebody else may.
pub fn not_yours() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", "your role does not allow this")
}

/// 404: `what` is not there, or another tenant's.
pub fn unknown(what: &str) -> Problem {
    let code = match what {
        "campaign" => "campaign_not_found",
        "category" => "category_not_found",
        "buyer" => "buyer_not_found",
        "supplier" => "supplier_not_found",
        "subscription" => "subscription_not_found",
        "lead" => "lead_not_found",
        "assignment" => "assignment_not_found",
        "return" => "return_not_found",
        "session" => "session_not_found",
        "invitation" => "invitation_not_found",
        "user" => "user_not_found",
        "card" => "card_not_found",
        "payment" => "payment_not_found",
        "seller" => "seller_not_found",
        "endpoint" => "endpoint_not_found",
        "delivery" => "delivery_not_found",
        _ => "not_found",
    };
    Problem(ApiError::new(StatusCode::NOT_FOUND, code, format!("no such {what}")))
}

/// 422 about one field.
pub fn invalid(field: &str, problem: &str) -> Problem {
    let fields = BTreeMap::from([(field.to_owned(), problem.to_owned())]);
    Problem(ApiError::invalid("validation_failed", "some fields are not valid", fields))
}

/// 400 about the query.
pub fn bad_query(sentence: impl Into<String>) -> Problem {
    Problem(ApiError::new(StatusCode::BAD_REQUEST, "query_invalid", sentence))
}

/// The same problem with fields that are called otherwise here.
pub fn rename_fields(mut problem: Problem, names: &[(&str, &str)]) -> Problem {
    let named = |field: String| names.iter().find(|(from, _)| *from == field).map_or(field, |(_, to)| (*to).to_owned());
    problem.0.fields =
        std::mem::take(&mut problem.0.fields).into_iter().map(|(field, text)| (named(field), text)).collect();
    problem
}

/// 503: something behind the API is away.
pub fn away() -> ApiError {
    let sentence = "a part of the system cannot be reached at the moment; try again";
    ApiError::unavailable("unavailable", sentence, RETRY_SECONDS)
}

/// The answer to what a service refused. Codes are the services' own; what is not the caller's fault is
/// logged here, once.
fn of_status(status: &Status) -> ApiError {
    let stable = known_code(stable_code(status));
    let sentence = match stable {
        Some(code) => status.message().get(code.len() + 2..).unwrap_or_default(),
        None => "",
    };
    let refused = |http, fallback| ApiError::new(http, stable.map_or(fallback, leak_known), said(sentence, fallback));
    match status.code() {
        // Our own token: no caller can mend that.
        Code::Unauthenticated if stable == Some("bad_service_token") => {
            tracing::error!("a service does not take our SERVICE_TOKEN");
            away()
        }
        // Whoever asks is signed in: it is a field that is wrong.
        Code::Unauthenticated if stable == Some("wrong_password") => invalid("oldPassword", "is not your password").0,
        Code::Unauthenticated => {
            let code = stable.map_or("unauthenticated", leak_known);
            ApiError::unauthorized(code, said(sentence, "sign in first"), CHALLENGE)
        }
        Code::InvalidArgument | Code::OutOfRange => refused_fields(sentence),
        Code::NotFound => refused(StatusCode::NOT_FOUND, "not_found"),
        Code::AlreadyExists => refused(StatusCode::CONFLICT, "already_exists"),
        // The record is on its way there: patience did not help, so say that it passes.
        Code::FailedPrecondition if stable == Some("seller_unknown") => away(),
        Code::FailedPrecondition if stable == Some("account_suspended") => refused(StatusCode::FORBIDDEN, "forbidden"),
        Code::FailedPrecondition => refused(StatusCode::CONFLICT, "refused"),
        Code::Aborted => refused(StatusCode::CONFLICT, "refused"),
        Code::PermissionDenied => refused(StatusCode::FORBIDDEN, "forbidden"),
        Code::ResourceExhausted => {
            let wait = status.metadata().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let code = stable.map_or("rate_limited", leak_known);
            ApiError::too_many(code, said(sentence, "too many requests"), wait.unwrap_or(RETRY_SECONDS))
        }
        // Nothing is known yet: the same once more is safe.
        Code::Unavailable if stable == Some("provider_unavailable") => {
            ApiError::unavailable("provider_unavailable", said(sentence, "try again"), RETRY_SECONDS)
        }
        Code::Internal if stable == Some("internal") => {
            // The service logged the cause.
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
        }
        code => {
            tracing::warn!(?code, error = status.message(), "a service is away");
            away()
        }
    }
}

fn said(sentence: &str, fallback: &str) -> String {
    if sentence.is_empty() { fallback.replace('_', " ") } else { sentence.to_owned() }
}

/// A service's sentence about a field begins with the field's name: `daily_cap must be …`, `amount: must …`.
fn refused_fields(sentence: &str) -> ApiError {
    let (name, problem) = sentence.split_once([' ', ':']).unwrap_or(("", sentence));
    let goes_on = sentence.contains(": ") || VERBS.iter().any(|verb| problem.starts_with(verb));
    let is_name = goes_on
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.[]".contains(&b));
    if !is_name {
        return ApiError::invalid("validation_failed", said(sentence, "some fields are not valid"), BTreeMap::new());
    }
    let problem = problem.trim_start_matches([':', ' ']);
    invalid(&field_name(name), said(problem, "is not valid").as_str()).0
}

/// How the rest of such a sentence begins.
const VERBS: [&str; 7] = ["must ", "is ", "are ", "has ", "cannot ", "needs ", "contains "];

/// The contract's name of a field as the API calls it.
fn field_name(contract: &str) -> String {
    match contract {
        "price" => "pricePerLead".to_owned(),
        "logic" => "distributionLogic".to_owned(),
        "lead_ttl_hours" => "leadExpiryHours".to_owned(),
        "duplicates.window_days" => "duplicateWindowDays".to_owned(),
        "duplicates.fields" => "duplicateFields".to_owned(),
        "category_ids" => "categories".to_owned(),
        "url" => "webhookUrl".to_owned(),
        "secret" => "webhookSecret".to_owned(),
        "credit_id" => "Idempotency-Key".to_owned(),
        other => camel_case(other),
    }
}

fn camel_case(snake: &str) -> String {
    let mut upper = false;
    let mut text = String::with_capacity(snake.len());
    for c in snake.chars() {
        match c {
            '_' => upper = true,
            _ => {
                text.push(if upper { c.to_ascii_uppercase() } else { c });
                upper = false;
            }
        }
    }
    text
}

/// Codes look like `snake_case`; anything before a colon that does not is a sentence.
fn known_code(text: &str) -> Option<&str> {
    let is_code = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    is_code.then_some(text)
}

/// The codes that services use, as the error form needs them; an unlisted one is told as `refused`.
fn leak_known(code: &str) -> &'static str {
    CODES.iter().copied().find(|known| *known == code).unwrap_or("refused")
}

/// Every code of a service that goes to callers as it is.
const CODES: &[&str] = &[
    "account_suspended",
    "already_returned",
    "already_subscribed",
    "assignment_not_found",
    "reason_not_allowed",
    "return_decided",
    "return_not_found",
    "return_share_reached",
    "return_window_over",
    "returns_not_allowed",
    "api_key_exists",
    "api_key_not_found",
    "buyer_archived",
    "buyer_exists",
    "buyer_not_found",
    "campaign_archived",
    "campaign_not_found",
    "card_not_found",
    "category_archived",
    "category_in_use",
    "category_inactive",
    "category_name_taken",
    "category_not_found",
    "changed_meanwhile",
    "credit_exists",
    "delivery_masked",
    "delivery_not_found",
    "delivery_refused",
    "delivery_waits",
    "busy",
    "category_exists",
    "email_exists",
    "endpoint_exists",
    "endpoint_not_found",
    "endpoint_deleted",
    "erasure_not_found",
    "endpoint_off",
    "field_in_use",
    "google_account_unknown",
    "google_account_unlinked",
    "google_denied",
    "google_email_unverified",
    "google_not_configured",
    "google_refused",
    "google_state_unknown",
    "google_token_invalid",
    "id_taken",
    "invitation_exists",
    "invitation_not_found",
    "invite_not_found",
    "last_owner",
    "insufficient_balance",
    "lead_not_found",
    "no_card",
    "not_configured",
    "not_refundable",
    "payment_exists",
    "payment_not_found",
    "payment_refused",
    "payments_not_configured",
    "phone_missing",
    "rate_limited",
    "forbidden",
    "refund_exists",
    "seller_archived",
    "seller_inactive",
    "seller_not_found",
    "session_not_found",
    "subscription_archived",
    "subscription_differs",
    "subscription_not_found",
    "supplier_archived",
    "supplier_inactive",
    "supplier_exists",
    "supplier_not_found",
    "throttled",
    "token_not_found",
    "too_many_api_keys",
    "too_many_card_attempts",
    "too_many_cards",
    "too_many_endpoints",
    "too_many_invitations",
    "user_exists",
    "user_not_found",
    "wallet_not_found",
    "webhooks_not_configured",
    "wrong_credentials",
];

#[cfg(test)]
mod tests {
    use leadflow_platform::grpc::status;

    use super::*;

    fn told(code: Code, stable: &str, sentence: &str) -> ApiError {
        of_status(&status(code, stable, sentence))
    }

    #[test]
    fn a_services_refusal_is_never_our_fault() {
        for (code, http) in [
            (Code::InvalidArgument, 422),
            (Code::NotFound, 404),
            (Code::AlreadyExists, 409),
            (Code::FailedPrecondition, 409),
            (Code::Aborted, 409),
            (Code::PermissionDenied, 403),
            (Code::Unauthenticated, 401),
            (Code::ResourceExhausted, 429),
        ] {
            assert_eq!(told(code, "wallet_not_found", "no such wallet").status, http, "{code:?}");
        }
        let error = told(Code::NotFound, "wallet_not_found", "no such wallet");
        assert_eq!((error.code, error.message.as_str()), ("wallet_not_found", "no such wallet"));
    }

    #[test]
    fn a_service_that_is_away_is_a_503_that_says_when_to_come_back() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled, Code::Unknown, Code::Unimplemented] {
            let error = of_status(&Status::new(code, "transport error"));
            assert_eq!((error.status.as_u16(), error.retry_after), (503, Some(1)), "{code:?}");
            assert!(!error.message.contains("transport"), "{}", error.message);
        }
        // Its own token is not what a caller is asked for.
        assert_eq!(told(Code::Unauthenticated, "bad_service_token", "x").status, 503);
        assert_eq!(told(Code::Internal, "internal", "x").status, 500);
    }

    #[test]
    fn a_refused_field_is_named_as_the_api_names_it() {
        for (sentence, field, problem) in [
            ("monthly_spending_limit must not be negative", "monthlySpendingLimit", "must not be negative"),
            ("amount: must be more than zero", "amount", "must be more than zero"),
            ("price must be zero or more", "pricePerLead", "must be zero or more"),
            ("fields[0].name is used twice", "fields[0].name", "is used twice"),
            ("duplicates.window_days must be at most 3650", "duplicateWindowDays", "must be at most 3650"),
        ] {
            let error = told(Code::InvalidArgument, "invalid_field", sentence);
            assert_eq!(error.fields.get(field).map(String::as_str), Some(problem), "{error:?}");
        }
        for sentence in ["At most 3 of these", "the amount is in another currency than the wallet", ""] {
            assert!(told(Code::InvalidArgument, "invalid_field", sentence).fields.is_empty());
        }
    }

    #[test]
    fn a_field_is_called_as_its_route_calls_it() {
        let problem = Problem(told(Code::InvalidArgument, "invalid_field", "most_a_day must be 1 to 20"));
        let renamed = rename_fields(problem, &[("mostADay", "autoRechargeMostADay")]).0.fields;
        assert_eq!(renamed.get("autoRechargeMostADay").map(String::as_str), Some("must be 1 to 20"));
    }

    #[test]
    fn what_a_provider_does_not_answer_can_be_asked_again() {
        let error = told(Code::Unavailable, "provider_unavailable", "the payment is not known yet");
        assert_eq!((error.status.as_u16(), error.code, error.retry_after), (503, "provider_unavailable", Some(1)));
    }

    #[test]
    fn a_throttled_caller_is_told_how_long() {
        let mut throttled = status(Code::ResourceExhausted, "rate_limited", "too many attempts");
        throttled.metadata_mut().insert(RETRY_AFTER, "17".parse().unwrap());
        assert_eq!(of_status(&throttled).retry_after, Some(17));
    }
}
