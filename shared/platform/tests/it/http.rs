use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use http_body_util::BodyExt;
use leadflow_platform::{ApiError, Health, Shutdown, http};
use serde_json::Value;
use tower::ServiceExt;

fn app() -> Router {
    let routes = Router::new()
        .route("/fine", get(|| async { "fine" }))
        .route(
            "/broken",
            get(|| async {
                panic!("a bug");
                #[expect(unreachable_code, reason = "gives the handler a type")]
                ""
            }),
        )
        .route("/busy", get(|| async { Err::<(), _>(ApiError::unavailable("stream_unavailable", "try again", 2)) }))
        .route(
            "/invalid",
            get(|| async {
                let fields = BTreeMap::from([("data.age".to_owned(), "must be a number".to_owned())]);
                Err::<(), _>(ApiError::invalid("validation_failed", "some fields are not valid", fields))
            }),
        );
    http::request_id(routes)
}

async fn call(method: &str, path: &str, id: Option<&str>) -> (StatusCode, axum::http::HeaderMap, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(id) = id {
        request = request.header("x-request-id", id);
    }
    let response = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn errors_have_one_form_with_the_requests_id() {
    for (method, path, status, code) in [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/fine", 405, "method_not_allowed"),
        ("GET", "/broken", 500, "internal"),
        ("GET", "/busy", 503, "stream_unavailable"),
        ("GET", "/invalid", 422, "validation_failed"),
    ] {
        let (got, headers, body) = call(method, path, Some("abc-1")).await;
        assert_eq!(got.as_u16(), status, "{path}");
        assert_eq!(body["code"], code);
        assert_eq!(body["requestId"], "abc-1");
        assert_eq!(headers["x-request-id"], "abc-1");
        assert!(body["error"].as_str().is_some_and(|text| !text.is_empty() && !text.contains("a bug")));
        assert_eq!(body.get("fields").is_some(), path == "/invalid");
        assert_eq!(headers.get("retry-after").is_some(), path == "/busy");
    }
}

#[tokio::test]
async fn an_unsafe_request_id_is_replaced() {
    let long = "x".repeat(129);
    for id in ["", "a b", "<script>", long.as_str()] {
        let (_, headers, _) = call("GET", "/fine", Some(id)).await;
        let answered = headers["x-request-id"].to_str().unwrap();
        assert_ne!(answered, id);
        assert_eq!(answered.len(), 32);
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let health = Health::new("test")
        .with("nats", || async { Ok(()) })
        .with("directory", || async { Err("not loaded yet".to_owned()) });
    let response =
        health.router(&Shutdown::new()).oneshot(Request::get("/readyz").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body["checks"]["directory"], "not loaded yet");
    assert_eq!(body["checks"]["nats"], "ok");
}
