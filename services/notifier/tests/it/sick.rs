//! Receivers that hang or fail, and the others, who must not notice.

use std::{collections::HashMap, time::Duration};

use leadflow_kernel::BuyerId;
use leadflow_notifier::Limits;
use leadflow_testkit::wait;
use uuid::Uuid;

use crate::{
    parts::parts,
    receiver::{Manner, Receiver, status},
    world::{PATIENCE, World},
};

/// Longer than any test: no request to a receiver that hangs ever ends.
const FOR_EVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn requests_that_take_long_make_room_for_others() {
    let mut world = World::empty().await;
    world
        .replica(|config| {
            config.timeout = FOR_EVER;
            config.limits = Limits { in_flight: 8, slow_after: Duration::from_millis(20), ..Limits::default() };
        })
        .await;
    let (hanging, quick) = (Receiver::start().await, Receiver::start().await);
    hanging.behave(Manner::Hang);
    // Two requests at once to each of six: more than all endpoints may have together.
    let mut sick = Vec::new();
    for _ in 0..6 {
        sick.push(world.buyer_at(&hanging.url).await);
    }
    let healthy = world.buyer_at(&quick.url).await;
    for _ in 0..10 {
        world.sell(&sick).await;
    }
    hanging.wait_for(12).await;
    for _ in 0..10 {
        world.sell(&[healthy]).await;
    }
    world.all_delivered(10).await;
    assert_eq!(hanging.got().len(), 12, "who has not answered yet gets two at once");
}

#[tokio::test]
async fn what_waits_behind_a_stuck_request_goes_back_to_the_table_and_arrives_later() {
    let mut world = World::empty().await;
    let limits =
        Limits { slow_after: Duration::from_millis(20), stuck_after: Duration::from_millis(100), ..Limits::default() };
    world
        .replica(|config| {
            config.timeout = FOR_EVER;
            config.limits = limits;
        })
        .await;
    let receiver = Receiver::start().await;
    let hold = std::sync::Arc::new(tokio::sync::Notify::new());
    receiver.behave(Manner::Hold(hold.clone()));
    let buyer = world.buyer_at(&receiver.url).await;
    for _ in 0..30 {
        world.sell(&[buyer]).await;
    }
    receiver.wait_for(2).await;
    wait::until("the others are in the table", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.deliveries WHERE lease IS NULL").await == 28
    })
    .await;
    assert_eq!(receiver.got().len(), 2);
    // It comes to itself.
    receiver.behave(status(200));
    hold.notify_waiters();
    world.all_delivered(30).await;
    assert!(receiver.times_by_id().into_values().all(|times| times == 1));
}

#[tokio::test]
async fn however_much_waits_for_some_the_others_turn_comes_with_the_next_question() {
    let mut world = World::start().await;
    let receiver = Receiver::start().await;
    let mut buyers = Vec::new();
    for _ in 0..8 {
        buyers.push(world.buyer_at(&receiver.url).await);
    }
    world.stop_one().await;
    receiver.behave(Manner::Hang);
    let (failing, healthy) = buyers.split_at(5);
    let failing: Vec<Uuid> = failing.iter().copied().map(Uuid::from).collect();
    // Two hundred for each that fails, all due before the few of the others.
    for (buyers, rows, due) in [(failing.as_slice(), 200, "2027-01-01"), (&ids(healthy), 3, "2027-01-15")] {
        sqlx::query(
            "INSERT INTO notifier.deliveries (delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, \
               payload, status, due_at, created_at) \
             SELECT gen_random_uuid(), seller_id, buyer_id, gen_random_uuid(), gen_random_uuid(), endpoint_id, '{}', \
               'PENDING', $3::timestamptz, $3::timestamptz \
             FROM notifier.endpoints, generate_series(1, $2) WHERE buyer_id = ANY($1)",
        )
        .bind(buyers)
        .bind(rows)
        .bind(due.parse::<chrono::NaiveDate>().unwrap().and_time(chrono::NaiveTime::MIN).and_utc())
        .execute(world.db.pool())
        .await
        .unwrap();
    }
    sqlx::query("UPDATE notifier.endpoints SET failing_since = now() WHERE buyer_id = ANY($1)")
        .bind(&failing)
        .execute(world.db.pool())
        .await
        .unwrap();
    let replica = parts(&world);
    let taken = replica.notifier.take_due(&replica.dispatcher, &Limits::default()).await.unwrap();
    let of_each: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT buyer_id, count(*) FROM notifier.deliveries WHERE lease IS NOT NULL GROUP BY buyer_id")
            .fetch_all(world.db.pool())
            .await
            .unwrap();
    let of_each: HashMap<Uuid, i64> = of_each.into_iter().collect();
    for buyer in ids(healthy) {
        assert_eq!(of_each.get(&buyer), Some(&3), "{of_each:?}");
    }
    for buyer in failing {
        assert_eq!(of_each.get(&buyer), Some(&2), "{of_each:?}");
    }
    assert_eq!(taken, 3 * 3 + 5 * 2);
    // Those that fail have what they may have: the next question finds nothing.
    assert_eq!(replica.notifier.take_due(&replica.dispatcher, &Limits::default()).await.unwrap(), 0);
}

fn ids(buyers: &[BuyerId]) -> Vec<Uuid> {
    buyers.iter().copied().map(Uuid::from).collect()
}
