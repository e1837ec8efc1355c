//! Several replicas, and what dies in between.

use std::{sync::Arc, time::Duration};

use leadflow_kernel::BuyerId;
use leadflow_notifier::{Limits, app::Sale};
use leadflow_testkit::{ChaosProxy, wait};
use sqlx::postgres::PgConnectOptions;

use crate::{
    parts::{parts, sale},
    receiver::{Manner, Receiver, status},
    world::{LEASE, PATIENCE, World},
};

/// One delivery in the table, due, and nobody at work on it.
async fn one_waiting(receiver: &Receiver) -> (World, BuyerId) {
    let mut world = World::start().await;
    receiver.behave(status(500));
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "the first attempt failed", |d| d.attempts_made == 1).await;
    world.stop_one().await;
    world.advance(7);
    receiver.behave(status(200));
    (world, buyer)
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_again_with_the_same_id() {
    let receiver = Receiver::start().await;
    let (mut world, buyer) = one_waiting(&receiver).await;
    let crashed = parts(&world);
    assert_eq!(crashed.notifier.take_due(&crashed.dispatcher, &Limits::default()).await.unwrap(), 1);
    receiver.wait_for(2).await;
    // It dies here: what it knows is never recorded.
    drop(crashed);
    world.replica(|_| {}).await;
    let waiting = world.deliveries(buyer).await.remove(0);
    assert_eq!((waiting.status.as_str(), waiting.attempts_made), ("PENDING", 1));
    world.advance(LEASE);
    world.delivery_when(buyer, "it is delivered once its lease has ended", |d| d.status == "DELIVERED").await;
    assert_eq!(receiver.times_by_id().into_values().collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn a_replica_that_lost_its_lease_cannot_overwrite_the_newer_result() {
    let receiver = Receiver::start().await;
    let (mut world, buyer) = one_waiting(&receiver).await;
    receiver.behave(status(410));
    let mut slow = parts(&world);
    slow.notifier.take_due(&slow.dispatcher, &Limits::default()).await.unwrap();
    let (stale, _slot) = slow.results.recv().await.unwrap();
    // Its lease ends, another replica delivers, and only then it comes back with its 410.
    receiver.behave(status(200));
    world.advance(LEASE);
    world.replica(|_| {}).await;
    let delivered = world.delivery_when(buyer, "the other delivers", |d| d.status == "DELIVERED").await;
    slow.notifier.record_results(&[stale]).await.unwrap();
    assert_eq!(world.deliveries(buyer).await, [delivered]);
    assert!(world.endpoint(buyer).await.enabled, "a dropped result says nothing about the endpoint");
}

#[tokio::test]
async fn the_same_sales_told_to_two_replicas_at_once_are_sent_once() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let sales: Vec<Sale> = (0..50).map(|_| sale(&world, buyer)).collect();
    // One of them hears of the sales in another order.
    let turned: Vec<Sale> = sales.iter().rev().cloned().collect();
    let (one, two) = (parts(&world), parts(&world));
    let (first, second) = tokio::join!(
        one.notifier.accept_leads(&sales, &one.dispatcher),
        two.notifier.accept_leads(&turned, &two.dispatcher)
    );
    first.unwrap();
    second.unwrap();
    receiver.wait_for(50).await;
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 50);
    // Told once more, nothing is new: neither a row nor, when all is over, a request.
    one.notifier.accept_leads(&sales, &one.dispatcher).await.unwrap();
    for replica in [&one, &two] {
        replica.dispatcher.drain(PATIENCE).await;
    }
    let times = receiver.times_by_id();
    assert!(times.len() == 50 && times.values().all(|times| *times == 1), "{times:?}");
}

#[tokio::test]
async fn what_one_replica_has_taken_no_other_takes() {
    let receiver = Receiver::start().await;
    let mut world = World::start().await;
    receiver.behave(status(500));
    let buyer = world.buyer_at(&receiver.url).await;
    for _ in 0..60 {
        world.sell(&[buyer]).await;
    }
    wait::until("all have failed once", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.deliveries WHERE attempts_made >= 1").await == 60
    })
    .await;
    world.stop_one().await;
    world.advance(3_600);
    receiver.behave(status(200));
    let before = receiver.got().len();
    for _ in 0..3 {
        world.replica(|_| {}).await;
    }
    world.all_delivered(60).await;
    assert_eq!(receiver.got().len() - before, 60, "each was sent once by one of three replicas");
}

#[tokio::test]
async fn a_result_outlives_a_database_that_is_away() {
    let mut world = World::start().await;
    let receiver = Receiver::start().await;
    let hold = Arc::new(tokio::sync::Notify::new());
    receiver.behave(Manner::Hold(hold.clone()));
    let buyer = world.buyer_at(&receiver.url).await;
    world.stop_one().await;
    let direct: PgConnectOptions = world.db.url().parse().unwrap();
    let server = format!("{}:{}", direct.get_host(), direct.get_port());
    let proxy = ChaosProxy::start(server.parse().unwrap()).await.unwrap();
    let through = world.db.url().replace(&server, &proxy.addr().to_string());
    world.replica(|config| config.database.url = through).await;
    world.sell(&[buyer]).await;
    receiver.wait_for(1).await;
    proxy.cut().await;
    hold.notify_one();
    // The clock stands: no lease ends, so nobody may send it again.
    proxy.restore().await.unwrap();
    world.all_delivered(1).await;
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn replicas_that_come_and_go_lose_nothing() {
    let receivers = [Receiver::start().await, Receiver::start().await];
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let mut buyers = Vec::new();
    for receiver in &receivers {
        buyers.push(world.buyer_at(&receiver.url).await);
    }
    for round in 0..4 {
        for _ in 0..40 {
            world.sell(&buyers).await;
        }
        receivers[0].behave(status(if round % 2 == 0 { 500 } else { 200 }));
        if round == 1 {
            // Dropped in the middle of whatever it does, as by a crash.
            let victim = world.replicas.remove(1);
            victim.service.abort();
            drop(victim.service.await);
        }
        if round == 2 {
            world.replica(|_| {}).await;
        }
    }
    receivers[0].behave(status(200));
    let (mut known, mut still) = (-1, 0);
    wait::until("everything is delivered", Duration::from_secs(40), async || {
        let delivered = world.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'DELIVERED'").await;
        still = if delivered == known { still + 1 } else { 0 };
        known = delivered;
        // Time goes on when nothing else does: what is left waits for a retry or the end of a lease.
        if still % 20 == 19 {
            world.advance(LEASE);
        }
        delivered == 320
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 320);
    for receiver in &receivers {
        assert_eq!(receiver.times_by_id().len(), 160);
    }
}
