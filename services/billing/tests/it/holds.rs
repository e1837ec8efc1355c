//! Placing holds, many at once.

use futures::future::join_all;
use leadflow_billing::app::{Billing, SeenHold};
use leadflow_billing_domain::HoldOutcome::{self, Held, InsufficientFunds};
use leadflow_platform::db::DbSettings;
use leadflow_testkit::StatementCounter;
use rand::seq::SliceRandom as _;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_simultaneous_holds_on_money_for_forty_take_exactly_forty() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "1000.00").await;
    let outcomes: Vec<HoldOutcome> = join_all((0..200).map(|n| {
        let billing = replicas[n % 2].clone();
        async move { billing.place_holds(seller, &[request(seller, buyer, "25.00")]).await.unwrap()[0] }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Held).count(), 40);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == InsufficientFunds).count(), 160);
    assert_eq!(
        amounts(&replicas[0], seller, buyer).await,
        ("1000.00".to_owned(), "1000.00".to_owned(), "0.00".to_owned())
    );
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_with_overlapping_wallets_in_any_order_never_deadlock() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, first) = world.tenant(&billing, "10000.00").await;
    let mut buyers = vec![first];
    for _ in 0..11 {
        buyers.push(world.buyer(&billing, seller, "10000.00").await);
    }
    let writers = (0..4).map(|_| {
        let billing = world.replica();
        let mut buyers = buyers.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                buyers.shuffle(&mut rand::rng());
                let asked: Vec<_> = buyers[..8].iter().map(|buyer| request(seller, *buyer, "1.00")).collect();
                let outcomes = billing.place_holds(seller, &asked).await.expect("no deadlock");
                assert!(outcomes.iter().all(|outcome| *outcome == Held));
                let sold: Vec<_> = asked.iter().map(|hold| message(&assigned(&[hold]))).collect();
                capture(&billing, &sold).await.expect("no deadlock");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    assert_eq!(world.count("SELECT count(*) FROM billing.holds WHERE state = 'captured'").await, 4 * 25 * 8);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_twice_at_once_on_two_replicas_holds_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "100.00").await;
    let asked: Vec<_> = (0..4).map(|_| request(seller, buyer, "25.00")).collect();
    let (one, two) = tokio::join!(replicas[0].place_holds(seller, &asked), replicas[1].place_holds(seller, &asked));
    assert_eq!((one.unwrap(), two.unwrap()), (vec![Held; 4], vec![Held; 4]));
    assert_eq!(world.count("SELECT count(*) FROM billing.holds WHERE attempts = 2").await, 4);
    assert_eq!(amounts(&replicas[0], seller, buyer).await.2, "0.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hold_id_used_for_two_wallets_at_once_is_held_on_one_of_them() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, one) = world.tenant(&replicas[0], "100.00").await;
    let other = world.buyer(&replicas[0], seller, "100.00").await;
    let first = [request(seller, one, "25.00")];
    let mut second = [request(seller, other, "25.00")];
    second[0].id = first[0].id;
    let (a, b) = tokio::join!(replicas[0].place_holds(seller, &first), replicas[1].place_holds(seller, &second));
    let held = [a, b].into_iter().filter(|answer| answer.as_ref().is_ok_and(|outcomes| outcomes[0] == Held)).count();
    assert_eq!(held, 1);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_in_its_order_and_each_wallet_by_its_own_sum() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, rich) = world.tenant(&billing, "60.00").await;
    let poor = world.buyer(&billing, seller, "0.00").await;
    let asked = [
        request(seller, rich, "40.00"),
        request(seller, poor, "1.00"),
        request(seller, rich, "40.00"),
        request(seller, poor, "0.00"),
        request(seller, rich, "20.00"),
    ];
    assert_eq!(
        billing.place_holds(seller, &asked).await.unwrap(),
        [Held, InsufficientFunds, InsufficientFunds, Held, Held]
    );
    assert!(billing.place_holds(seller, &[]).await.unwrap().is_empty());
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_locked_for_too_long_gives_an_error_in_time_and_holds_nothing() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("SELECT FROM billing.wallets WHERE buyer_id = $1 FOR UPDATE")
        .bind(buyer.uuid())
        .execute(&mut *blocker)
        .await
        .unwrap();
    let asked = [request(seller, buyer, "25.00")];
    let placing = tokio::time::timeout(std::time::Duration::from_secs(4), billing.place_holds(seller, &asked)).await;
    assert!(placing.expect("before the lock is free").is_err());
    blocker.rollback().await.unwrap();
    assert_eq!(billing.place_holds(seller, &asked).await.unwrap(), [Held]);
    assert_eq!(world.count("SELECT attempts::bigint FROM billing.holds").await, 1);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_replica_did_to_a_wallet_is_never_overlooked() {
    let world = World::new().await;
    let (one, two) = (world.replica(), world.replica());
    let (seller, buyer) = world.tenant(&one, "100.00").await;
    let hold = async |billing: &Billing| billing.place_holds(seller, &[request(seller, buyer, "25.00")]).await.unwrap();
    // After this the first replica believes that 75.00 are left, and would say so without asking.
    assert_eq!(hold(&one).await, [Held]);
    let taken = request(seller, buyer, "75.00");
    assert_eq!(two.place_holds(seller, std::slice::from_ref(&taken)).await.unwrap(), [Held]);
    assert_eq!(hold(&one).await, [InsufficientFunds]);
    // The second one believes that nothing is left; the first gives it back.
    let seen = SeenHold { id: taken.id, attempts: None };
    assert_eq!(one.release_holds(seller, &[seen]).await.unwrap(), 1);
    for _ in 0..3 {
        assert_eq!(hold(&two).await, [Held]);
    }
    assert_eq!(amounts(&one, seller, buyer).await, ("100.00".to_owned(), "100.00".to_owned(), "0.00".to_owned()));
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_as_this_replica_left_them_take_one_statement_and_a_repeat_is_seen_all_the_same() {
    let world = World::new().await;
    let counter = StatementCounter::start(&world.db.url()).await.unwrap();
    let pool = leadflow_billing::connect(&DbSettings { url: counter.url().to_owned(), ..world.settings() }).unwrap();
    let billing = world.billing(pool, world.pool().clone());
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let first = request(seller, buyer, "25.00");
    assert_eq!(billing.place_holds(seller, std::slice::from_ref(&first)).await.unwrap(), [Held]);
    let _ = counter.take();
    let asked = [request(seller, buyer, "25.00"), request(seller, buyer, "25.00")];
    assert_eq!(billing.place_holds(seller, &asked).await.unwrap(), [Held, Held]);
    let executed = counter.take();
    assert_eq!(executed.len(), 1, "{executed:#?}");
    // All three again, with money for one more: each is the hold it was.
    let again = [first, asked[0].clone(), asked[1].clone()];
    assert_eq!(billing.place_holds(seller, &again).await.unwrap(), [Held; 3]);
    assert_eq!(amounts(&billing, seller, buyer).await.1, "75.00");
    assert_eq!(world.count("SELECT count(*) FROM billing.holds WHERE attempts = 2").await, 3);
    world.check_books().await;
}
