//! The one form of error answers: `{"error", "code", "requestId", "fields"?}`.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// Stable, snake_case.
    pub code: &'static str,
    /// A sentence for a person.
    pub message: String,
    /// Problems by path, e.g. `data.age`; for validation only.
    pub fields: BTreeMap<String, String>,
    /// Seconds, for 429 and 503.
    pub retry_after: Option<u64>,
    /// `WWW-Authenticate`, for 401: how a caller says who it is.
    pub challenge: Option<&'static str>,
}

impl ApiError {
    /// An error with this status, code and sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: BTreeMap::new(), retry_after: None, challenge: None }
    }

    /// 401 with `WWW-Authenticate`, which RFC 9110 asks of every 401.
    pub fn unauthorized(code: &'static str, message: impl Into<String>, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, code, message) }
    }

    /// 503 with `Retry-After`, while a dependency is away.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    /// 429 with `Retry-After`.
    pub fn too_many(code: &'static str, message: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, code, message) }
    }

    /// 422 with what is wrong by path.
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<String>, fields: BTreeMap<String, String>) -> Self {
        Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message) }
    }

    pub(super) fn body(&self, request_id: &str) -> serde_json::Value {
        let mut body = json!({ "error": self.message, "code": self.code, "requestId": request_id });
        if !self.fields.is_empty() {
            body["fields"] = json!(self.fields);
        }
        body
    }
}

/// The body is written by [`super::request_id`], which knows the request's id; the error travels
/// there as a response extension.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body(""))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}
