//! Pages of other origins: only those that the settings name may call, and then with cookies.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use leadflow_platform::ApiError;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, last-event-id, prefer, x-api-key, x-request-id",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "etag, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id, preference-applied",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Around everything else: a preflight needs no session.
pub async fn layer(State(origins): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = origin.filter(|origin| origins.iter().any(|known| origin == known.as_str()));
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (&allowed, preflight) {
        (Some(_), true) => {
            let headers = [
                (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ];
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        (None, true) => {
            let sentence = "pages of this origin may not call (setting BFF_CORS_ORIGINS)";
            ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", sentence).into_response()
        }
        (_, false) => next.run(request).await,
    };
    write(response.headers_mut(), allowed);
    response
}

fn write(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
