//! Rate, errors and duration of HTTP requests, by route.

use std::{sync::LazyLock, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use opentelemetry::{KeyValue, metrics::Histogram};

use super::seconds;

static DURATION: LazyLock<Histogram<f64>> =
    LazyLock::new(|| seconds("http.server.request.duration", "from a request's head to its answer's head"));

/// Measures requests. Routes are patterns: what callers make up is in no label.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    };
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    let labels = [
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route.unwrap_or_default()),
        KeyValue::new("http.response.status_code", i64::from(response.status().as_u16())),
    ];
    DURATION.record(started.elapsed().as_secs_f64(), &labels);
    response
}
