use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use leadflow_messaging::{
    Bus, GroupCommitPublisher, GroupCommitSettings, Message, PublishError,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
    tail::Tail,
};
use leadflow_testkit::{
    TestNats,
    servers::{Nats, NatsOptions, SyncInterval},
    wait,
};
use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_to, bus_with_streams, credited, settings};

/// How often each event arrived, and the size of the largest batch.
#[derive(Default)]
struct Arrived(Mutex<(HashMap<String, usize>, usize)>);

#[async_trait::async_trait]
impl BatchHandler for Arrived {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut seen = self.0.lock().await;
        seen.1 = seen.1.max(batch.len());
        for message in batch {
            let event: leadflow_contracts::events::WalletCredited = message.decode().unwrap();
            *seen.0.entry(event.buyer_id).or_default() += 1;
        }
        Ok(())
    }
}

fn listen(bus: &Bus, shutdown: &CancellationToken) -> Arc<Arrived> {
    let arrived = Arc::new(Arrived::default());
    let settings = ConsumerSettings {
        stream: "BILLING",
        consumer: "distribution",
        max_batch: 64,
        pace: std::time::Duration::ZERO,
    };
    tokio::spawn(consumer::run(bus.clone(), settings, arrived.clone(), shutdown.clone()));
    arrived
}

fn publisher(bus: &Bus, settings: GroupCommitSettings) -> GroupCommitPublisher {
    let (publisher, task) = GroupCommitPublisher::new(bus.clone(), settings, CancellationToken::new());
    tokio::spawn(task);
    publisher
}

#[tokio::test]
async fn every_caller_is_answered_and_every_event_arrives_once() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let publisher = publisher(&bus, GroupCommitSettings::default());
    let mut tail = Tail::on(&bus, "wallet.>").await.unwrap();
    let mut callers = JoinSet::new();
    for n in 0..1_000 {
        let publisher = publisher.clone();
        callers.spawn(async move { publisher.publish(credited(&n.to_string())).await });
    }
    while let Some(answer) = callers.join_next().await {
        answer.unwrap().unwrap();
    }
    let arrived = listen(&bus, &shutdown);
    wait::until("all arrived", PATIENCE, async || arrived.0.lock().await.0.len() == 1_000).await;
    let seen = arrived.0.lock().await;
    assert!(seen.0.values().all(|&times| times == 1));
    assert!(seen.1 > 1 && seen.1 <= 256, "largest batch {}", seen.1);
    let mut passed = HashSet::new();
    for _ in 0..1_000 {
        let (message, json) = tail.next().await.unwrap();
        assert!(json.is_some());
        passed.insert(message.id);
    }
    assert_eq!(passed.len(), 1_000);
}

#[tokio::test]
async fn a_full_queue_refuses_and_who_gave_up_is_not_stored() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let limits = GroupCommitSettings { queue: 1, ack_within: Duration::from_millis(200), ..Default::default() };
    // Nobody takes from the queue until the task runs.
    let (publisher, task) = GroupCommitPublisher::new(bus.clone(), limits, shutdown.clone());
    let (first, second) = tokio::join!(publisher.publish(credited("gave up")), publisher.publish(credited("refused")));
    assert!(matches!(first, Err(PublishError::Timeout(_))));
    assert!(matches!(second, Err(PublishError::Overloaded)));
    tokio::spawn(task);
    wait::until("there is room", PATIENCE, async || publisher.publish(credited("later")).await.is_ok()).await;
    let arrived = listen(&bus, &shutdown);
    wait::until("it arrived", PATIENCE, async || !arrived.0.lock().await.0.is_empty()).await;
    assert_eq!(arrived.0.lock().await.0.keys().collect::<Vec<_>>(), ["later"]);
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let mut nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let publisher = publisher(&bus, GroupCommitSettings::default());
    nats.kill9();
    wait::until("the loss is noticed", PATIENCE, async || !bus.is_connected()).await;
    assert!(matches!(publisher.publish(credited("a")).await, Err(PublishError::Disconnected)));
}

#[tokio::test]
async fn after_a_stop_what_waits_is_stored_and_more_is_refused() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let (publisher, task) = GroupCommitPublisher::new(bus, GroupCommitSettings::default(), shutdown.clone());
    shutdown.cancel();
    let (waiting, ()) = tokio::join!(publisher.publish(credited("waits")), task);
    waiting.unwrap();
    assert!(matches!(publisher.publish(credited("late")).await, Err(PublishError::Disconnected)));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_of_the_server() {
    for sync in [SyncInterval::Always, SyncInterval::Every(Duration::from_secs(120))] {
        survives_a_kill(sync).await;
    }
}

async fn survives_a_kill(sync: SyncInterval) {
    let folder = leadflow_testkit::TempDir::new("group-commit").unwrap();
    let mut nats = Nats::start(NatsOptions { sync, ..NatsOptions::new(folder.path()) }).await.unwrap();
    let bus = bus_to(&nats.url()).await;
    leadflow_messaging::topology::ensure(&bus, settings()).await.unwrap();
    let publisher = publisher(&bus, GroupCommitSettings { ack_within: Duration::from_secs(2), ..Default::default() });
    let stored = Arc::new(Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for caller in 0..32 {
        let (publisher, stored) = (publisher.clone(), Arc::clone(&stored));
        callers.spawn(async move {
            for n in 0.. {
                let name = format!("{caller}/{n}");
                if publisher.publish(credited(&name)).await.is_err() {
                    return;
                }
                stored.lock().await.push(name);
            }
        });
    }
    wait::until("there is traffic", PATIENCE, async || stored.lock().await.len() > 500).await;
    nats.kill9();
    while callers.join_next().await.is_some() {}
    nats.restart().await.unwrap();
    wait::until("the client is back", PATIENCE, async || bus.is_connected()).await;
    let (arrived, stored) = (listen(&bus, &CancellationToken::new()), stored.lock().await);
    wait::until("every acknowledged event arrives", PATIENCE, async || {
        let seen = arrived.0.lock().await;
        stored.iter().all(|name| seen.0.contains_key(name))
    })
    .await;
    assert!(arrived.0.lock().await.0.values().all(|&times| times == 1));
}
