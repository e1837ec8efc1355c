//! While something is away: nothing is claimed that is not so.

use std::time::Duration;

use leadflow_ingest::Config;
use leadflow_platform::Env;
use leadflow_testkit::wait;

use crate::world::{JSON, KEY, PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_stream_a_post_is_503_and_afterwards_201_again() {
    let mut world = World::with(|config| config.ack_timeout = Duration::from_millis(500), true).await;
    let headers = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "k")];
    world.nats.kill9();
    let (first, body) = (world.lead("Doe"), world.lead("Roe"));
    for lead in [&first, &body] {
        let answer = world.post_with(&headers, lead).await;
        // Doubt about the first body forbids another one under its key.
        assert!(
            [(503, "not_stored"), (409, "idempotency_key_reused")].contains(&(answer.status, answer.code().as_str()))
        );
        assert!(answer.status == 409 || answer.header("retry-after").is_some());
    }
    let ready = wait::until_some("it says that it is not ready", PATIENCE, async || {
        let answer = world.get("/readyz", &[]).await;
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(ready.await.json()["checks"]["nats"], "cannot be reached");
    assert_eq!(world.get("/healthz", &[]).await.status, 200);
    world.nats.restart().await.expect("nats-server again");
    wait::until("posts are answered again", PATIENCE, async || world.post_with(&headers, &first).await.status == 201)
        .await;
    world.ready().await;
    assert_eq!(
        world.fake.received().iter().filter(|(lead, _)| lead.data_json.windows(3).any(|w| w == b"Roe")).count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_acknowledge_gets_no_2xx() {
    let world = World::with(|config| config.ack_timeout = Duration::from_millis(300), true).await;
    let headers = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "k")];
    world.proxy.blackhole();
    for extra in [vec![], vec![("Prefer", "respond-async")]] {
        let answer = world.post_with(&[headers.as_slice(), &extra].concat(), &world.lead("Doe")).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "not_stored"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    world.proxy.restore().await.expect("restore");
    wait::until("posts are answered again", PATIENCE, async || {
        world.post_with(&headers, &world.lead("Doe")).await.status == 201
    })
    .await;
    let leads: std::collections::HashSet<_> = world.fake.received().into_iter().map(|(lead, _)| lead.lead_id).collect();
    assert_eq!(leads.len(), 1, "whatever arrived of the doubtful posts is the same lead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_cut_the_directory_catches_up_and_answers_come_again() {
    let world = World::with(|config| config.ack_timeout = Duration::from_secs(1), true).await;
    world.proxy.cut().await;
    world.publish(&world.tenant.supplier_record(2, &["sk_rotated"])).await;
    wait::until("the cut is noticed", PATIENCE, async || world.post(&world.lead("Doe")).await.code() == "not_stored")
        .await;
    assert!(world.fake.received().is_empty());
    world.proxy.restore().await.expect("restore");
    let rotated = [("X-API-Key", "sk_rotated"), JSON];
    wait::until("the key made meanwhile works, and decisions are heard", PATIENCE, async || {
        world.post_with(&rotated, &world.lead("Doe")).await.status == 201
    })
    .await;
    assert_eq!(world.post(&world.lead("Doe")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_takes_nothing_more_and_loses_nothing() {
    let world = World::with_stream(|_| {}, false, 512 * 1024).await;
    let extra: String = (0..10).map(|n| format!(r#","note{n}":"{}""#, "x".repeat(4_000))).collect();
    let body = world.lead("Doe").replace(r#""age":45"#, &format!(r#""age":45{extra}"#));
    let headers = [("X-API-Key", KEY), JSON, ("Prefer", "respond-async")];
    let mut taken = 0;
    let full = loop {
        let answer = world.post_with(&headers, &body).await;
        match answer.status {
            202 => taken += 1,
            _ => break answer,
        }
        assert!(taken < 100);
    };
    assert_eq!((full.status, full.code().as_str()), (503, "not_stored"), "{full:?}");
    assert!(taken > 5);
    assert_eq!(world.stored().await, taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_at_hand() {
    let mut world = World::with(|config| config.decision_wait = Duration::from_secs(2), true).await;
    let (addr, body) = (world.addr, world.lead("Doe"));
    let request = crate::client::request("POST /api/leads/ingest", &[("X-API-Key", KEY), JSON], Some(body.as_bytes()));
    world.fake.set_silent(true);
    let posting = tokio::spawn(async move { crate::client::send(addr, &request).await });
    wait::until("the lead is received", PATIENCE, async || world.fake.received().len() == 1).await;
    world.stop().await;
    assert_eq!(posting.await.unwrap().status, 202);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "nothing new is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_directory_is_loaded_and_knows_nobody() {
    let world = World::empty(|_| {}, false, 64 << 20).await;
    world.ready().await;
    assert_eq!(world.post("{}").await.code(), "api_key_invalid");
}

#[test]
fn settings_are_checked_as_a_whole() {
    let mut env = Env::from_pairs([
        ("SERVICE_TOKEN", "short"),
        ("INGEST_MAX_BODY_BYTES", "10"),
        ("INGEST_MAX_IN_FLIGHT", "0"),
        ("INGEST_ACK_TIMEOUT_MS", "soon"),
    ]);
    let _ = Config::read(&mut env);
    assert_eq!(env.finish().unwrap_err().problems.len(), 4);
}
