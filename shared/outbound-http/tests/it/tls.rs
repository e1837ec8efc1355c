//! TLS that does not prove who answers.

use bytes::Bytes;
use leadflow_outbound_http::{Client, FailureKind, Options};
use leadflow_testkit::hostile::{Certificate, Hostile, Manner, authority};

use super::{client, names::FakeLookup, ok, options, post, serve};

/// A client that trusts the tests' authority, and for which every name is this machine.
fn trusting() -> Client {
    client(Options {
        authorities: Some(vec![Bytes::from_static(authority())]),
        lookup: FakeLookup::new(&[&["127.0.0.1"]]),
        ..options()
    })
}

async fn refusal(client: &Client, url: &str) -> String {
    match post(client, url).await.unwrap_err().kind {
        FailureKind::Connect(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_this_host_is_good() {
    let server = Hostile::start_tls(ok(), Certificate::Good).await.unwrap();
    let answer = post(&trusting(), &server.url_of("hook.example.com", "/")).await.unwrap();
    assert_eq!((answer.status, server.requests().len()), (200, 1));
}

#[tokio::test]
async fn every_other_certificate_is_refused_before_anything_is_sent() {
    for (certificate, word) in [
        (Certificate::OtherHost, "hook.example.com"),
        (Certificate::Expired, "expired"),
        (Certificate::SelfSigned, "signed by nobody that is trusted"),
    ] {
        let server = Hostile::start_tls(ok(), certificate).await.unwrap();
        let text = refusal(&trusting(), &server.url_of("hook.example.com", "/")).await;
        assert!(text.contains(word), "{certificate:?}: {text}");
        assert!(server.requests().is_empty(), "{certificate:?}");
    }
    // A good one for whoever trusts the authority, which this machine does not.
    let server = Hostile::start_tls(ok(), Certificate::Good).await.unwrap();
    let strangers = client(Options { lookup: FakeLookup::new(&[&["127.0.0.1"]]), ..options() });
    let text = refusal(&strangers, &server.url_of("hook.example.com", "/")).await;
    assert!(text.contains("certificate") && server.requests().is_empty(), "{text}");
}

#[tokio::test]
async fn plain_text_where_tls_should_be_is_a_connect_failure() {
    // It takes the first bytes of TLS for a request that has no end.
    let server = serve(Manner::Silent).await;
    let early = std::time::Duration::from_millis(500);
    let impatient = client(Options { total_timeout: early, ..options() });
    let url = server.url("/").replace("http:", "https:");
    assert_eq!(post(&impatient, &url).await.unwrap_err().kind, FailureKind::TimedOut);
    // And one that talks first.
    let server = serve(Manner::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let url = server.url("/").replace("http:", "https:");
    refusal(&trusting(), &url).await;
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_not_followed() {
    let plain = serve(ok()).await;
    let to = plain.url_of("hook.example.com", "/");
    let server = Hostile::start_tls(Manner::redirect(308, &to), Certificate::Good).await.unwrap();
    let failure = post(&trusting(), &server.url_of("hook.example.com", "/")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Redirect("it leads from https to http"));
    assert_eq!((failure.status, plain.connections()), (Some(308), 0));
}
