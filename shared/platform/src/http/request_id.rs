//! `x-request-id`: taken over from the caller when it is sane, else made; in every answer, and in
//! the body of every error.

use std::panic::AssertUnwindSafe;

use axum::{
    Json, Router,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use futures::FutureExt;

use super::ApiError;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, as an extension for handlers.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Wraps a router: ids on requests and answers, 404, 405 and panics in the common error form.
pub fn layer(router: Router) -> Router {
    tags(fallbacks(router))
}

/// 404 and 405 in the common error form.
pub fn fallbacks(router: Router) -> Router {
    router
        .fallback(|| async { ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take this method",
            )
        })
}

/// Ids on requests and answers, and panics in the common error form: around everything that may answer
/// with an [`ApiError`].
pub fn tags(router: Router) -> Router {
    router.layer(from_fn(tag))
}

async fn tag(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_sane(text))
        .map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    // The pattern: an address may hold a token or a name.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let outcome = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = outcome.unwrap_or_else(|_| {
        tracing::error!(request_id = %id, %method, route, "handler panicked");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side").into_response()
    });
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let mut tagged = (error.status, Json(error.body(&id))).into_response();
        std::mem::swap(tagged.headers_mut(), response.headers_mut());
        tagged.headers_mut().remove(header::CONTENT_LENGTH);
        response = tagged;
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn is_sane(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}
