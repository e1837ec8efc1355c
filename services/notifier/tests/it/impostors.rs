//! Receivers that are not who they should be: names that turn private, and certificates that prove nothing.

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use leadflow_kernel::{BuyerId, EndpointId};
use leadflow_notifier::app::PutEndpoint;
use leadflow_outbound_http::{Lookup, Options};
use leadflow_testkit::hostile::{Certificate, Hostile, Manner, authority};

use crate::{
    parts::{Parts, parts_with, sale},
    world::{SECRET, World},
};

/// A name server that answers from a list, the last one for ever.
struct Names(Mutex<VecDeque<IpAddr>>);

impl Names {
    fn new(answers: &[&str]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().map(|ip| ip.parse().unwrap()).collect())))
    }
}

impl Lookup for Names {
    fn lookup(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
        Box::pin(async move { Ok(next.into_iter().collect()) })
    }
}

/// Saves an endpoint at `url`, sells a lead to its owner, and gives what is on record of the attempt: status code and reason.
async fn attempt(world: &World, parts: &mut Parts, url: &str) -> (i32, String) {
    let buyer = BuyerId::new();
    let endpoint = PutEndpoint {
        id: EndpointId::new(),
        buyer,
        url: url.to_owned(),
        secret: SECRET.to_owned(),
        enabled: true,
        name: None,
        events: None,
        concurrency: None,
        format: None,
        expected: None,
        keep_deleted: false,
    };
    parts.notifier.put_endpoint(None, world.seller, endpoint).await.unwrap();
    parts.notifier.accept_leads(&[sale(world, buyer)], &parts.dispatcher).await.unwrap();
    let (finished, slot) = parts.results.recv().await.unwrap();
    parts.notifier.record_results(&[finished]).await.unwrap();
    drop(slot);
    let mut listed = parts.notifier.list_deliveries(world.seller, buyer, None, 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].attempts.len()), (1, 1));
    let attempt = listed.remove(0).attempts.remove(0);
    (attempt.status_code, attempt.error)
}

fn ok() -> Manner {
    Manner::answer("HTTP/1.1 200 OK\nContent-Length: 0", b"")
}

#[tokio::test]
async fn a_name_that_turns_private_between_check_and_connection_is_not_called() {
    let world = World::empty().await;
    let server = Hostile::start(ok()).await.unwrap();
    for (then, reason) in [
        ("127.0.0.1", "a loopback address"),
        ("169.254.169.254", "a link-local address"),
        ("::ffff:127.0.0.1", "an IPv4 address inside an IPv6 address"),
    ] {
        // Public when it is saved, private from then on.
        let mut parts = parts_with(&world, Options { lookup: Names::new(&["8.8.8.8", then]), ..Options::default() });
        let recorded = attempt(&world, &mut parts, &server.url_of("hook.example.com", "/")).await;
        assert_eq!(recorded, (0, format!("the address is refused: it must not point to {reason}")), "{then}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_redirect_to_a_name_that_is_private_is_not_followed() {
    let world = World::empty().await;
    let target = Hostile::start(ok()).await.unwrap();
    let server = Hostile::start(Manner::redirect(308, &target.url_of("inside.example.com", "/"))).await.unwrap();
    let lookup = Names::new(&["127.0.0.1", "127.0.0.1", "10.0.0.1"]);
    let mut parts = parts_with(&world, Options { lookup, allow_loopback: true, ..Options::default() });
    let recorded = attempt(&world, &mut parts, &server.url_of("hook.example.com", "/")).await;
    assert_eq!(recorded, (308, "the address is refused: it must not point to a private address".to_owned()));
    assert_eq!((server.requests().len(), target.connections()), (1, 0));
}

/// A client for which every name is this machine, and that trusts the tests' authority.
fn trusting(world: &World) -> Parts {
    let authorities = Some(vec![Bytes::from_static(authority())]);
    let lookup = Names::new(&["127.0.0.1"]);
    parts_with(world, Options { lookup, allow_loopback: true, authorities, ..Options::default() })
}

#[tokio::test]
async fn certificates_that_prove_nothing_end_the_attempt_before_the_lead_is_sent() {
    let world = World::empty().await;
    let mut parts = trusting(&world);
    for (certificate, reason) in [
        (Certificate::OtherHost, "certificate not valid for name \"hook.example.com\""),
        (Certificate::Expired, "certificate expired"),
        (Certificate::SelfSigned, "signed by nobody that is trusted here"),
    ] {
        let server = Hostile::start_tls(ok(), certificate).await.unwrap();
        let (status, error) = attempt(&world, &mut parts, &server.url_of("hook.example.com", "/")).await;
        let expected = format!("cannot connect: invalid peer certificate: {reason}");
        assert!(status == 0 && error.starts_with(&expected), "{certificate:?}: {error}");
        assert!(server.requests().is_empty(), "{certificate:?}");
    }
    // Plain text where TLS should be.
    let server = Hostile::start(Manner::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n")).await.unwrap();
    let url = server.url_of("hook.example.com", "/").replace("http:", "https:");
    let (status, error) = attempt(&world, &mut parts, &url).await;
    assert!(status == 0 && error.starts_with("cannot connect: "), "{error}");
    // And one as it should be.
    let server = Hostile::start_tls(ok(), Certificate::Good).await.unwrap();
    assert_eq!(attempt(&world, &mut parts, &server.url_of("hook.example.com", "/")).await, (200, String::new()));
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_not_followed() {
    let world = World::empty().await;
    let plain = Hostile::start(ok()).await.unwrap();
    let to = Manner::redirect(307, &plain.url_of("hook.example.com", "/"));
    let server = Hostile::start_tls(to, Certificate::Good).await.unwrap();
    let recorded = attempt(&world, &mut trusting(&world), &server.url_of("hook.example.com", "/")).await;
    assert_eq!(recorded, (307, "the redirect was not followed: it leads from https to http".to_owned()));
    assert_eq!(plain.connections(), 0);
}
