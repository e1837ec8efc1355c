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
async fn a_stop_finishes_what_is_at_hand() {
    let mut world = World::start().await;
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
    let world = World::empty(|_| {}, false).await;
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
