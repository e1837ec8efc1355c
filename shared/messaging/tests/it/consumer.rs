use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use leadflow_messaging::{
    Message,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
    dlq, topology,
};
use leadflow_testkit::{TestNats, wait};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_with_streams, credited};

const SETTINGS: ConsumerSettings =
    ConsumerSettings { stream: "BILLING", consumer: "distribution", max_batch: 16, pace: std::time::Duration::ZERO };

/// Refuses or fails by what the message says, and counts what it carried out.
#[derive(Default)]
struct Moody {
    carried_out: Mutex<HashMap<String, usize>>,
    failures_left: AtomicUsize,
    cured: AtomicUsize,
}

#[async_trait::async_trait]
impl BatchHandler for Moody {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        if self.failures_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(HandleError::transient("the database is away"));
        }
        let notes: Vec<String> = batch
            .iter()
            .map(|message| message.decode::<leadflow_contracts::events::WalletCredited>().unwrap().buyer_id)
            .collect();
        if self.cured.load(Ordering::SeqCst) == 0 {
            if notes.iter().any(|note| note == "poison") {
                return Err(HandleError::permanent("cannot be read"));
            }
            assert!(!notes.iter().any(|note| note == "bomb"), "this message makes the handler panic");
        }
        let mut carried_out = self.carried_out.lock().await;
        for note in notes {
            *carried_out.entry(note).or_default() += 1;
        }
        Ok(())
    }
}

async fn idle(bus: &leadflow_messaging::Bus) -> bool {
    topology::lag(bus).await.unwrap().iter().all(|(_, _, waiting, unacknowledged)| waiting + unacknowledged == 0)
}

#[tokio::test]
async fn a_transient_failure_keeps_the_batch_until_it_works() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let handler = Arc::new(Moody { failures_left: AtomicUsize::new(3), ..Moody::default() });
    bus.publish(&[credited("a"), credited("b")]).await.unwrap();
    tokio::spawn(consumer::run(bus.clone(), SETTINGS, handler.clone(), shutdown.clone()));
    wait::until("both carried out", PATIENCE, async || handler.carried_out.lock().await.len() == 2).await;
    wait::until("acknowledged", PATIENCE, async || idle(&bus).await).await;
    assert!(dlq::list(&bus, 1, 10).await.unwrap().is_empty());
}

/// Has time for three messages at once and no more.
#[derive(Default)]
struct Slow(Mutex<Vec<usize>>);

#[async_trait::async_trait]
impl BatchHandler for Slow {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        if batch.len() > 3 {
            return Err(HandleError::transient("out of time"));
        }
        self.0.lock().await.push(batch.len());
        Ok(())
    }
}

#[tokio::test]
async fn a_batch_that_is_too_much_at_once_is_carried_out_in_parts() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let events: Vec<_> = (0..10).map(|n| credited(&format!("n{n}"))).collect();
    // One delivery, which is never acknowledged in part.
    bus.publish(&events).await.unwrap();
    let handler = Arc::new(Slow::default());
    tokio::spawn(consumer::run(bus.clone(), SETTINGS, handler.clone(), shutdown.clone()));
    wait::until("all carried out and acknowledged", PATIENCE, async || {
        handler.0.lock().await.iter().sum::<usize>() == 10 && idle(&bus).await
    })
    .await;
    assert!(dlq::list(&bus, 1, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_that_can_never_work_is_put_aside_and_holds_up_nobody() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let handler = Arc::new(Moody::default());
    bus.publish(&[credited("a"), credited("poison"), credited("b"), credited("bomb"), credited("c")]).await.unwrap();
    tokio::spawn(consumer::run(bus.clone(), SETTINGS, handler.clone(), shutdown.clone()));
    wait::until("the healthy ones are carried out", PATIENCE, async || handler.carried_out.lock().await.len() == 3)
        .await;
    wait::until("nothing is left", PATIENCE, async || idle(&bus).await).await;
    let letters = dlq::list(&bus, 1, 10).await.unwrap();
    let errors: Vec<_> = letters.iter().map(|letter| letter.error.as_str()).collect();
    assert_eq!(errors, ["cannot be read", "handler panicked: this message makes the handler panic"]);
    assert!(
        letters.iter().all(|letter| letter.consumer == "BILLING/distribution" && letter.subject == "wallet.credited")
    );

    // Mended, they are sent again, carried out, and gone from the dead letters.
    handler.cured.store(1, Ordering::SeqCst);
    for letter in &letters {
        dlq::redrive(&bus, letter).await.unwrap();
    }
    wait::until("redriven", PATIENCE, async || handler.carried_out.lock().await.len() == 5).await;
    assert!(dlq::list(&bus, 1, 10).await.unwrap().is_empty());
    assert!(handler.carried_out.lock().await.values().all(|&times| times == 1));
}

#[tokio::test]
async fn messages_survive_a_killed_server_and_are_still_delivered() {
    let mut nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let events: Vec<_> = (0..100).map(|n| credited(&format!("n{n}"))).collect();
    bus.publish(&events).await.unwrap();
    nats.kill9();
    nats.restart().await.unwrap();
    let handler = Arc::new(Moody::default());
    tokio::spawn(consumer::run(bus.clone(), SETTINGS, handler.clone(), shutdown.clone()));
    wait::until("all carried out", PATIENCE, async || handler.carried_out.lock().await.len() == 100).await;
}

#[tokio::test]
async fn a_stop_gives_back_what_was_not_carried_out() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let first = CancellationToken::new();
    let stuck = Arc::new(Moody { failures_left: AtomicUsize::new(usize::MAX), ..Moody::default() });
    // More than a batch, each in a message of its own: some are only fetched when the stop comes.
    for n in 0..60 {
        bus.publish(&[credited(&format!("n{n}"))]).await.unwrap();
    }
    let running = tokio::spawn(consumer::run(bus.clone(), SETTINGS, stuck.clone(), first.clone()));
    wait::until("it has been tried", PATIENCE, async || stuck.failures_left.load(Ordering::SeqCst) < usize::MAX).await;
    first.cancel();
    running.await.unwrap();
    let handler = Arc::new(Moody::default());
    tokio::spawn(consumer::run(bus.clone(), SETTINGS, handler.clone(), CancellationToken::new()));
    // Well before the stream's own time to deliver again (30 s).
    wait::until("another carried all out", PATIENCE, async || handler.carried_out.lock().await.len() == 60).await;
}
