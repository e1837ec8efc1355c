use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt as _;
use leadflow_bff::{
    Config,
    http::{Api, router},
    live::Live,
    outbound::{gateway::Gateway, services::Services},
};
use leadflow_kernel::SystemClock;
use leadflow_platform::{Env, Shutdown};
use serde_json::Value;
use tower::ServiceExt as _;

/// The discard port: nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

/// The edge, with every service away.
fn edge() -> Router {
    let mut env = Env::from_pairs([
        ("SERVICE_TOKEN", "a-token-of-the-tests"),
        ("ACCOUNTS_GRPC_URL", NOBODY),
        ("BILLING_GRPC_URL", NOBODY),
        ("DISTRIBUTION_GRPC_URL", NOBODY),
        ("NOTIFIER_GRPC_URL", NOBODY),
        ("INGEST_HTTP_URL", NOBODY),
        ("BFF_PUBLIC_URL", "https://app.example.com"),
        ("BFF_CORS_ORIGINS", "https://other.example.com"),
        ("BFF_MAX_BODY_BYTES", "1024"),
    ]);
    let config = Config::read(&mut env);
    env.finish().unwrap();
    let services = Services::connect(&config).unwrap();
    let gateway = Gateway::new(&config.ingest_url, config.call_timeout).unwrap();
    let live = Live::new(config.live, Shutdown::new());
    router(Api::new(&config, services, gateway, live, std::sync::Arc::new(SystemClock)), Router::new())
}

async fn send(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::builder().method(method).uri(path).header("host", "app.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = edge().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn with_its_services_away_it_says_when_to_come_back() {
    for (method, path) in [
        (Method::GET, "/api/auth/session"),
        (Method::POST, "/api/auth/login"),
        (Method::GET, "/api/campaigns"),
        (Method::POST, "/api/leads/ingest"),
    ] {
        let json = [("content-type", "application/json")];
        let (status, headers, body) = send(method, path, &json, "{}").await;
        assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &"1".parse().unwrap()), "{path}");
        assert_eq!(
            (body["code"].as_str(), body["requestId"].as_str().map(str::is_empty)),
            (Some("unavailable"), Some(false))
        );
    }
}

#[tokio::test]
async fn every_answer_has_the_same_form_and_tells_browsers_what_they_may_do() {
    for (method, path, wanted) in [
        (Method::GET, "/api/nothing", 404),
        (Method::PATCH, "/api/campaigns", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/api/campaigns", 503),
    ] {
        let (status, headers, body) = send(method, path, &[("x-request-id", "mine-1")], "").await;
        assert_eq!((status.as_u16(), &body["requestId"]), (wanted, &"mine-1".into()), "{path}: {body}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("strict-transport-security", "max-age=31536000"),
            ("x-request-id", "mine-1"),
        ] {
            assert_eq!(headers.get(name).and_then(|value| value.to_str().ok()), Some(value), "{path}: {name}");
        }
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn another_sites_page_is_refused_before_anybody_is_asked() {
    let cookie = ("cookie", "leadflow_session=abc");
    for headers in [
        &[cookie][..],
        &[cookie, ("origin", "https://evil.example")],
        &[cookie, ("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example")],
    ] {
        let (status, _, body) = send(Method::POST, "/api/auth/logout", headers, "").await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (403, Some("cross_site_request")), "{headers:?}");
    }
    for headers in [
        &[cookie, ("origin", "https://app.example.com")][..],
        &[cookie, ("origin", "https://other.example.com"), ("sec-fetch-site", "cross-site")],
        &[("authorization", "Bearer abc"), ("origin", "https://evil.example")],
    ] {
        let (status, ..) = send(Method::POST, "/api/auth/logout", headers, "").await;
        assert_eq!(status, 503, "it got as far as asking: {headers:?}");
    }
}

#[tokio::test]
async fn what_a_provider_tells_is_no_pages_doing_and_comes_again_later() {
    let path = "/api/webhooks/stripe";
    for headers in [
        &[("stripe-signature", "t=1,v1=00")][..],
        &[("stripe-signature", "t=1,v1=00"), ("cookie", "leadflow_session=abc"), ("origin", "https://evil.example")],
    ] {
        let (status, sent, body) = send(Method::POST, path, headers, "{}").await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (503, Some("unavailable")), "{headers:?}");
        assert!(sent.contains_key("retry-after"));
    }
    assert_eq!(send(Method::GET, path, &[], "").await.0, 405);
}

#[tokio::test]
async fn only_pages_of_known_origins_may_read_answers() {
    let asks = |origin: &'static str| [("origin", origin), ("access-control-request-method", "PUT")];
    let (status, headers, _) = send(Method::OPTIONS, "/api/campaigns/x", &asks("https://other.example.com"), "").await;
    assert_eq!(status, 204);
    assert_eq!(headers["access-control-allow-origin"], "https://other.example.com");
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    for origin in ["https://evil.example", "null", "http://other.example.com", "https://other.example.com.evil.example"]
    {
        let (status, headers, body) = send(Method::OPTIONS, "/api/campaigns/x", &asks(origin), "").await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (403, Some("origin_not_allowed")), "{origin}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{origin}");
        assert!(body["requestId"].as_str().is_some_and(|id| !id.is_empty()));
    }
    let (_, headers, _) = send(Method::GET, "/api/campaigns", &[("origin", "https://other.example.com")], "").await;
    assert_eq!(headers["access-control-allow-origin"], "https://other.example.com");
    assert!(headers.get_all("vary").iter().any(|value| value == "origin"));
}

#[tokio::test]
async fn a_body_is_bounded() {
    let large = format!("{{\"data\": \"{}\"}}", "x".repeat(2_000));
    let (status, _, body) = send(Method::POST, "/api/leads/ingest", &[], &large).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (413, Some("body_too_large")));
}
