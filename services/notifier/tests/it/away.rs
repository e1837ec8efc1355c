//! A receiver is away for an hour, as a whole and while two replicas try: all that was sold meanwhile arrives afterwards, once.

use std::collections::HashSet;

use leadflow_testkit::{ChaosProxy, wait};

use crate::{
    receiver::{Receiver, status},
    world::{PATIENCE, World},
};

/// Sales of a minute.
const SALES: i64 = 5;
const FRESH: i64 = 40;

/// Nothing is due, and nobody has anything at hand.
async fn settled(world: &World) {
    wait::until("all that is due was tried", PATIENCE, async || {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM notifier.deliveries WHERE status = 'PENDING' AND (due_at <= $1 OR lease IS NOT NULL)",
        )
        .bind(world.now())
        .fetch_one(world.db.pool())
        .await
        .unwrap();
        open == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_for_an_hour_gets_everything_once() {
    let receiver = Receiver::start().await;
    let address = receiver.url.trim_start_matches("http://").trim_end_matches("/hook").parse().unwrap();
    let proxy = ChaosProxy::start(address).await.unwrap();
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let buyer = world.buyer_at(&format!("http://{}/hook", proxy.addr())).await;
    let stored = "SELECT count(*) FROM notifier.deliveries";
    receiver.behave(status(503));
    for minute in 0..60 {
        for _ in 0..SALES {
            world.sell(&[buyer]).await;
        }
        wait::until("the sales are stored", PATIENCE, async || world.count(stored).await == (minute + 1) * SALES).await;
        settled(&world).await;
        if minute == 30 {
            proxy.cut().await;
        }
        world.advance(60);
    }
    settled(&world).await;
    let waiting = "SELECT count(*) FROM notifier.deliveries WHERE status = 'PENDING'";
    assert_eq!(world.count(waiting).await, 60 * SALES, "nothing is lost");
    // 5 s, 5 min, 30 min: nobody was called more often than that.
    assert!(world.count("SELECT max(attempts_made)::int8 FROM notifier.deliveries").await <= 4);

    let before = receiver.got().len();
    receiver.behave(status(200));
    proxy.restore().await.unwrap();
    // All of them are due at once, and there are new ones.
    world.advance(3 * 3_600);
    for _ in 0..FRESH {
        world.sell(&[buyer]).await;
    }
    let all = 60 * SALES + FRESH;
    world.all_delivered(all).await;
    let got = receiver.got();
    let ids: Vec<String> = got[before..].iter().map(crate::receiver::Got::id).collect();
    assert_eq!(i64::try_from(ids.len()).unwrap(), all, "something was sent twice");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert_eq!(
        world.count("SELECT count(*) FROM notifier.attempts").await,
        world.count("SELECT sum(attempts_made)::int8 FROM notifier.deliveries").await
    );
}
