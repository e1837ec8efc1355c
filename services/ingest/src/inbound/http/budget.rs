//! What a caller has left of its rate limits, told in every answer from then on.

use axum::response::{IntoResponse as _, Response};
use leadflow_platform::{ApiError, http::RateLimitState};

use super::refusal;
use crate::store::limit::RateLimit;

/// The limits that one request has been counted against.
#[derive(Debug, Default)]
pub(super) struct Budget(Option<RateLimitState>);

impl Budget {
    /// Counts the request against `limit`.
    pub(super) fn take(&mut self, limit: &RateLimit, whose: &str) -> Result<(), ApiError> {
        // All of a limit is there again after a second at the latest.
        let state = |remaining, reset_seconds| RateLimitState { limit: limit.per_second(), remaining, reset_seconds };
        let (state, outcome) = match limit.take() {
            Ok(left) => (state(left, 1), Ok(())),
            Err(exceeded) => {
                let refused = refusal::too_many(exceeded, whose);
                (state(0, refused.retry_after.unwrap_or(1)), Err(refused))
            }
        };
        self.0 = Some(match self.0 {
            Some(other) if outcome.is_ok() => other.tighter(state),
            _ => state,
        });
        outcome
    }

    /// The answer with its headers.
    pub(super) fn tell(self, answer: Result<Response, ApiError>) -> Response {
        let mut response = answer.unwrap_or_else(ApiError::into_response);
        if let Some(state) = self.0 {
            state.write(response.headers_mut());
        }
        response
    }
}
