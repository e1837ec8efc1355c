//! Names, and what they resolve to.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::BoxFuture;
use leadflow_outbound_http::{AddressRefusal, FailureKind, Lookup, Options, UrlError};
use leadflow_testkit::hostile::Manner;

use super::{client, ok, options, post, serve};

/// Answers from a list, the last one for ever, and counts how often it was asked.
pub struct FakeLookup(Vec<Vec<IpAddr>>, AtomicUsize);

impl FakeLookup {
    pub fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(answers.iter().map(parse).collect(), AtomicUsize::new(0)))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::SeqCst)
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
async fn a_name_that_turns_private_after_it_was_checked_is_not_connected_to() {
    let server = serve(ok()).await;
    let lookup = FakeLookup::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let strict = client(Options { allow_loopback: false, lookup: lookup.clone(), ..options() });
    let url = server.url_of("hook.example.com", "/");
    assert_eq!(strict.check_url(&url).await, Ok(()));
    let failure = post(&strict, &url).await.unwrap_err();
    assert_eq!(failure.kind, UrlError::from(AddressRefusal::Loopback).into());
    assert_eq!((lookup.asked(), server.connections()), (2, 0));
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let server = serve(Manner::answer("HTTP/1.1 200 OK\nContent-Length: 0\nConnection: close", b"")).await;
    // Rebinding: the name turns private right after it was first resolved.
    let lookup = FakeLookup::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let client = client(Options { lookup: lookup.clone(), ..options() });
    let url = server.url_of("hook.example.com", "/");
    assert_eq!(post(&client, &url).await.unwrap().status, 200);
    assert_eq!(lookup.asked(), 1, "one connection asks once");
    let failure = post(&client, &url).await.unwrap_err();
    assert_eq!(failure.kind, UrlError::from(AddressRefusal::Private).into());
}

#[tokio::test]
async fn of_a_mixed_answer_only_what_may_be_called_is() {
    let server = serve(ok()).await;
    // Two that would be tried first if they were tried at all.
    let lookup = FakeLookup::new(&[&["fd00::1", "169.254.169.254", "127.0.0.1"]]);
    let client = client(Options { lookup, ..options() });
    let answer = post(&client, &server.url_of("hook.example.com", "/")).await.unwrap();
    assert_eq!((answer.status, server.connections()), (200, 1));
}

#[tokio::test]
async fn a_redirect_to_a_name_that_is_private_is_refused() {
    let target = serve(ok()).await;
    let start = serve(Manner::redirect(307, &target.url_of("inside.example.com", "/"))).await;
    let lookup = FakeLookup::new(&[&["127.0.0.1"], &["192.168.1.1"]]);
    let client = client(Options { lookup, ..options() });
    let failure = post(&client, &start.url_of("hook.example.com", "/")).await.unwrap_err();
    assert_eq!(failure.kind, UrlError::from(AddressRefusal::Private).into());
    assert_eq!((failure.status, target.connections()), (Some(307), 0));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_passes_at_save_and_fails_at_send() {
    let client = client(Options { lookup: FakeLookup::new(&[]), ..options() });
    assert_eq!(client.check_url("https://not-yet.example.com/").await, Ok(()));
    let failure = post(&client, "https://not-yet.example.com/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Dns);
}

/// Never answers.
struct Silence;

impl Lookup for Silence {
    fn lookup(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_lookup_that_hangs_is_under_the_deadline_too() {
    let total_timeout = std::time::Duration::from_millis(300);
    let client = client(Options { lookup: Arc::new(Silence), total_timeout, ..options() });
    let failure = post(&client, "https://hook.example.com/").await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (FailureKind::TimedOut, None));
}

#[tokio::test]
async fn localhost_needs_the_option() {
    let strict = client(Options { allow_loopback: false, ..options() });
    assert_eq!(client(options()).check_url("http://localhost/").await, Ok(()));
    assert_eq!(strict.check_url("http://localhost/").await, Err(UrlError::LocalName));
}
