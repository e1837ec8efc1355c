use leadflow_outbound_http::{AddressRefusal, FailureKind, Options, UrlError};
use leadflow_testkit::hostile::Manner;

use super::{client, ok, options, post, serve};

#[tokio::test]
async fn a_permanent_redirect_carries_the_request_along() {
    let end = serve(ok()).await;
    let start = serve(Manner::redirect(308, &end.url("/new"))).await;
    let answer = post(&client(options()), &start.url("/old")).await.unwrap();
    assert_eq!((answer.status, answer.redirects), (200, 1));
    let request = end.requests().remove(0);
    assert!(request.starts_with("POST /new ") && request.ends_with("{\"a\":1}"), "{request}");
}

#[tokio::test]
async fn a_redirect_that_would_drop_the_body_is_a_failure() {
    let end = serve(ok()).await;
    for status in [301, 302, 303] {
        let start = serve(Manner::redirect(status, &end.url("/"))).await;
        let failure = post(&client(options()), &start.url("/")).await.unwrap_err();
        assert!(matches!(failure.kind, FailureKind::Redirect(_)), "{failure:?}");
        assert_eq!(failure.status, Some(status));
    }
    assert!(end.requests().is_empty());
}

#[tokio::test]
async fn redirects_to_private_addresses_are_refused() {
    for (location, refusal) in [
        ("http://10.0.0.1/", AddressRefusal::Private),
        ("http://169.254.169.254/latest/meta-data/", AddressRefusal::LinkLocal),
        ("http://[::ffff:127.0.0.1]/", AddressRefusal::Embedded),
        ("http://0.0.0.0/", AddressRefusal::Unspecified),
    ] {
        let start = serve(Manner::redirect(307, location)).await;
        let failure = post(&client(options()), &start.url("/")).await.unwrap_err();
        assert_eq!(failure.kind, UrlError::from(refusal).into(), "{location}");
    }
}

#[tokio::test]
async fn a_loop_ends_after_three_redirects() {
    let server = serve(Manner::redirect(307, "/again")).await;
    let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Redirect("there are too many"));
    assert_eq!(server.requests().len(), 4);
    let none = client(Options { max_redirects: 0, ..options() });
    assert!(post(&none, &server.url("/")).await.is_err());
    assert_eq!(server.requests().len(), 5);
}
