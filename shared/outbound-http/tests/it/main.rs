//! The client against servers that behave badly, over real sockets.

mod redirects;
mod server;

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use leadflow_outbound_http::{AddressRefusal, Answer, Client, Failure, FailureKind, Lookup, Options, UrlError};

use server::{Script, serve};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options { allow_loopback: true, total_timeout: PATIENCE, connect_timeout: PATIENCE, ..Options::default() }
}

fn client(options: Options) -> Client {
    Client::new(options).unwrap()
}

async fn post(client: &Client, url: &str) -> Result<Answer, Failure> {
    client.post(url, HeaderMap::new(), Bytes::from_static(b"{\"a\":1}")).await
}

/// Answers from a list, the last one for ever, and counts how often it was asked.
struct FakeLookup(Vec<Vec<IpAddr>>, AtomicUsize);

impl FakeLookup {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(answers.iter().map(parse).collect(), AtomicUsize::new(0)))
    }
}

impl Lookup for FakeLookup {
    fn lookup(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.get(asked).or(self.0.last()).cloned();
        Box::pin(async move { answer.ok_or(io::ErrorKind::NotFound.into()) })
    }
}

#[tokio::test]
async fn an_answer_comes_back_with_status_headers_and_body() {
    let server = serve(Script::Answer("HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy")).await;
    let answer = post(&client(options()), &server.url("/hook")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref(), answer.truncated), (503, b"busy".as_ref(), false));
    assert_eq!(answer.headers["retry-after"], "7");
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n") && request.ends_with("{\"a\":1}"), "{request}");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let server = serve(Script::Hang).await;
    let total_timeout = Duration::from_millis(300);
    let failure = post(&client(Options { total_timeout, ..options() }), &server.url("/")).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (FailureKind::TimedOut, None));
    assert!(failure.duration >= total_timeout);
}

#[tokio::test]
async fn the_deadline_holds_to_the_last_byte() {
    let server = serve(Script::Drip).await;
    // On a machine so busy that not even the status line comes in time, with more of it.
    let mut total_timeout = Duration::from_millis(500);
    loop {
        let failure = post(&client(Options { total_timeout, ..options() }), &server.url("/")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::TimedOut);
        if failure.status == Some(200) {
            break;
        }
        total_timeout *= 4;
        assert!(total_timeout < PATIENCE, "{failure:?}");
    }
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_cap_and_hung_up_on() {
    let server = serve(Script::Endless).await;
    let answer = post(&client(Options { body_cap: 10_000, ..options() }), &server.url("/")).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.truncated), (200, 10_000, true));
    server.hung_up_on().await;
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_whole() {
    let server = serve(Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour")).await;
    let answer = post(&client(Options { body_cap: 4, ..options() }), &server.url("/")).await.unwrap();
    assert_eq!((answer.body.as_ref(), answer.truncated), (b"four".as_ref(), false));
}

#[tokio::test]
async fn too_many_headers_are_an_error() {
    let mut text = String::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for n in 0..200 {
        text.push_str(&format!("x-{n}: y\r\n"));
    }
    text.push_str("\r\n");
    let server = serve(Script::Answer(text.leak())).await;
    let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Transport(_)), "{failure:?}");
}

#[tokio::test]
async fn endless_headers_are_an_error() {
    let server = serve(Script::EndlessHeaders).await;
    let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Transport(_)), "{failure:?}");
}

#[tokio::test]
async fn what_is_not_http_or_breaks_off_is_an_error() {
    for text in ["SSH-2.0-OpenSSH_9\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"] {
        let server = serve(Script::Answer(text)).await;
        let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
        assert!(matches!(failure.kind, FailureKind::Transport(_)), "{text:?}: {failure:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_connect_failure() {
    // Bound for as long as the test runs, so that nobody else can listen there meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let failure = post(&client(options()), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Connect(_)), "{failure:?}");
}

#[tokio::test]
async fn an_untrusted_server_is_a_connect_failure() {
    let server = serve(Script::Answer("HTTP/1.1 200 OK\r\n\r\n")).await;
    let url = server.url("/").replace("http:", "https:");
    let failure = post(&client(options()), &url).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Connect(_)), "{failure:?}");
}

#[tokio::test]
async fn loopback_is_refused_without_the_option_and_nothing_is_sent() {
    let server = serve(Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let strict = client(Options { allow_loopback: false, ..options() });
    let failure = post(&strict, &server.url("/")).await.unwrap_err();
    assert_eq!(failure.kind, UrlError::from(AddressRefusal::Loopback).into());
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_name_is_checked_when_it_resolves() {
    for (address, refusal) in [
        ("127.0.0.1", AddressRefusal::Loopback),
        ("10.1.2.3", AddressRefusal::Private),
        ("169.254.169.254", AddressRefusal::LinkLocal),
        ("::ffff:10.0.0.1", AddressRefusal::Embedded),
        ("fd00::1", AddressRefusal::Private),
    ] {
        let lookup = FakeLookup::new(&[&[address]]);
        let strict = client(Options { allow_loopback: false, lookup: lookup.clone(), ..options() });
        let refused = UrlError::from(refusal);
        assert_eq!(strict.check_url("http://hook.example.com/").await, Err(refused.clone()), "{address}");
        let failure = post(&strict, "http://hook.example.com/").await.unwrap_err();
        assert_eq!(failure.kind, refused.into(), "{address}");
    }
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let server = serve(Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")).await;
    // Rebinding: the name turns private right after it was first resolved.
    let lookup = FakeLookup::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let client = client(Options { lookup: lookup.clone(), ..options() });
    let url = format!("http://hook.example.com:{}/", server.port());
    assert_eq!(post(&client, &url).await.unwrap().status, 200);
    assert_eq!(lookup.1.load(Ordering::SeqCst), 1, "one connection asks once");
    let failure = post(&client, &url).await.unwrap_err();
    assert_eq!(failure.kind, UrlError::from(AddressRefusal::Private).into());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_passes_at_save_and_fails_at_send() {
    let client = client(Options { lookup: FakeLookup::new(&[]), ..options() });
    assert_eq!(client.check_url("https://not-yet.example.com/").await, Ok(()));
    let failure = post(&client, "https://not-yet.example.com/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Dns);
}

#[tokio::test]
async fn localhost_needs_the_option() {
    let strict = client(Options { allow_loopback: false, ..options() });
    let named = Options { allow_loopback: true, ..options() };
    assert_eq!(client(named).check_url("http://localhost/").await, Ok(()));
    assert_eq!(strict.check_url("http://localhost/").await, Err(UrlError::LocalName));
}

#[tokio::test]
async fn user_names_in_urls_are_refused() {
    let failure = post(&client(options()), "http://me:secret@127.0.0.1/").await.unwrap_err();
    assert_eq!(failure.kind, UrlError::Credentials.into());
    assert!(!failure.to_string().contains("secret"));
}
