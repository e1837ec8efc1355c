use std::sync::Arc;

use chrono::DateTime;
use leadflow_contracts::events::SellerChanged;
use leadflow_kernel::EventId;
use leadflow_messaging::{
    Bus, Envelope,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
    outbox::{Outbox, Relay},
};
use leadflow_testkit::{ChaosProxy, TestDb, TestNats, wait};
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_to, bus_with_streams, credited};

pub(crate) static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("tests/schema");

/// Remembers what arrived on `wallet.credited`.
#[derive(Default)]
struct Arrived(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl BatchHandler for Arrived {
    async fn handle(&self, batch: &[leadflow_messaging::Message]) -> Result<(), HandleError> {
        let mut seen = self.0.lock().await;
        for message in batch {
            let event: leadflow_contracts::events::WalletCredited = message.decode().unwrap();
            seen.push(event.buyer_id);
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

fn relay(pool: &PgPool, bus: &Bus, shutdown: &CancellationToken) -> (Outbox, Relay) {
    let outbox = Outbox::new("test_service");
    let (relay, task) = Relay::new(outbox.clone(), pool.clone(), bus.clone(), shutdown.clone());
    tokio::spawn(task);
    (outbox, relay)
}

/// Makes every row look left behind, instead of waiting for its grace to pass.
async fn age(pool: &PgPool) {
    sqlx::query("UPDATE test_service.outbox SET retry_at = now() - interval '1 second'").execute(pool).await.unwrap();
}

#[tokio::test]
async fn committed_events_arrive_and_leave_no_row() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let arrived = listen(&bus, &shutdown);
    let (outbox, relay) = relay(db.pool(), &bus, &shutdown);
    let mut transaction = db.pool().begin().await.unwrap();
    let pending = outbox.append(&mut transaction, vec![credited("a"), credited("b")]).await.unwrap();
    transaction.commit().await.unwrap();
    relay.send(pending);
    wait::until("both events arrived", PATIENCE, async || *arrived.0.lock().await == ["a", "b"]).await;
    wait::until("the row is gone", PATIENCE, async || outbox.waiting(db.pool()).await.unwrap() == 0).await;
}

#[tokio::test]
async fn rolled_back_events_never_exist() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let arrived = listen(&bus, &shutdown);
    let (outbox, relay) = relay(db.pool(), &bus, &shutdown);
    let mut transaction = db.pool().begin().await.unwrap();
    drop(outbox.append(&mut transaction, vec![credited("never")]).await.unwrap());
    transaction.rollback().await.unwrap();
    let mut transaction = db.pool().begin().await.unwrap();
    let pending = outbox.append(&mut transaction, vec![credited("later")]).await.unwrap();
    transaction.commit().await.unwrap();
    relay.send(pending);
    wait::until("the later event arrived", PATIENCE, async || !arrived.0.lock().await.is_empty()).await;
    assert_eq!(*arrived.0.lock().await, ["later"]);
}

#[tokio::test]
async fn what_a_crash_left_behind_is_swept_once() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let arrived = listen(&bus, &shutdown);
    let outbox = Outbox::new("test_service");
    // The process "dies" between commit and publishing: the pending events are dropped.
    let mut transaction = db.pool().begin().await.unwrap();
    drop(outbox.append(&mut transaction, vec![credited("left")]).await.unwrap());
    transaction.commit().await.unwrap();
    age(db.pool()).await;
    // Two replicas sweep at once.
    let (_, one) = relay(db.pool(), &bus, &shutdown);
    let (_, two) = relay(db.pool(), &bus, &shutdown);
    let (a, b) = tokio::join!(one.sweep(), two.sweep());
    // The relays' own sweepers may have been first; nobody takes a row that another has taken.
    assert!(a.unwrap() + b.unwrap() <= 1);
    wait::until("it arrived", PATIENCE, async || *arrived.0.lock().await == ["left"]).await;
    wait::until("the row is gone", PATIENCE, async || outbox.waiting(db.pool()).await.unwrap() == 0).await;
    assert_eq!(*arrived.0.lock().await, ["left"]);
}

#[tokio::test]
async fn a_record_that_the_directory_refuses_holds_up_no_other_events() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let arrived = listen(&bus, &shutdown);
    let outbox = Outbox::new("test_service");
    let too_large =
        SellerChanged { seller_id: "s".to_owned(), company_name: "x".repeat(2 << 20), ..Default::default() };
    let record = Envelope::new(EventId::new(), &too_large, DateTime::UNIX_EPOCH);
    let mut transaction = db.pool().begin().await.unwrap();
    drop(outbox.append(&mut transaction, vec![record, credited("left")]).await.unwrap());
    transaction.commit().await.unwrap();
    age(db.pool()).await;
    drop(relay(db.pool(), &bus, &shutdown));
    wait::until("it arrived", PATIENCE, async || *arrived.0.lock().await == ["left"]).await;
    wait::until("only the record waits", PATIENCE, async || outbox.waiting(db.pool()).await.unwrap() == 1).await;
}

#[tokio::test]
async fn an_event_that_is_sent_again_with_others_takes_none_of_them_along() {
    let nats = TestNats::start().await.unwrap();
    let (bus, shutdown) = (bus_with_streams(&nats).await, CancellationToken::new());
    let arrived = listen(&bus, &shutdown);
    // The acknowledgement of "a" and "b" was lost: "a" is sent again, by chance together with "c".
    let [a, b, c] = ["a", "b", "c"].map(credited);
    bus.publish(&[a.clone(), b]).await.unwrap();
    bus.publish(&[a, c]).await.unwrap();
    wait::until("all arrived", PATIENCE, async || {
        let seen = arrived.0.lock().await;
        ["a", "b", "c"].iter().all(|note| seen.iter().any(|one| one == note))
    })
    .await;
}

#[tokio::test]
async fn while_nats_is_away_events_wait_and_then_arrive() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    drop(bus_with_streams(&nats).await);
    let proxy = ChaosProxy::start(([127, 0, 0, 1], nats.port()).into()).await.unwrap();
    let bus = bus_to(&format!("nats://{}", proxy.addr())).await;
    let shutdown = CancellationToken::new();
    let (outbox, relay) = relay(db.pool(), &bus, &shutdown);
    proxy.cut().await;
    let mut transaction = db.pool().begin().await.unwrap();
    let pending = outbox.append(&mut transaction, vec![credited("patient")]).await.unwrap();
    transaction.commit().await.unwrap();
    relay.send(pending);
    proxy.restore().await.unwrap();
    let direct = bus_to(&nats.url()).await;
    let arrived = listen(&direct, &shutdown);
    age(db.pool()).await;
    wait::until("it arrived", PATIENCE, async || arrived.0.lock().await.contains(&"patient".to_owned())).await;
    wait::until("the row is gone", PATIENCE, async || outbox.waiting(db.pool()).await.unwrap() == 0).await;
}

#[tokio::test]
async fn an_event_recorded_twice_at_once_is_fresh_once() {
    let db = TestDb::create(&[&MIGRATOR]).await.unwrap();
    let inbox = leadflow_messaging::inbox::Inbox::new("test_service");
    let ids: Vec<_> = (0..20).map(|_| leadflow_kernel::EventId::new()).collect();
    let reversed: Vec<_> = ids.iter().rev().copied().collect();
    let record = |ids: Vec<leadflow_kernel::EventId>| {
        let (pool, inbox) = (db.pool().clone(), inbox.clone());
        async move {
            let mut transaction = pool.begin().await.unwrap();
            let fresh = inbox.record(&mut transaction, "c", &ids).await.unwrap();
            transaction.commit().await.unwrap();
            fresh.len()
        }
    };
    let (a, b) = tokio::join!(tokio::spawn(record(ids)), tokio::spawn(record(reversed)));
    assert_eq!(a.unwrap() + b.unwrap(), 20);
}
