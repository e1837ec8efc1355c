//! `lead.assigned`: taking the money once, whatever is repeated, lost or out of order.

use futures::future::join_all;
use leadflow_billing_domain::HoldOutcome;
use leadflow_messaging::consumer::HandleError;
use leadflow_testkit::wait;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_moves_the_price_to_the_seller_less_the_fee_once() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let hold = request(seller, buyer, "25.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    let event = message(&assigned(&[&hold]));
    for _ in 0..3 {
        capture(&billing, std::slice::from_ref(&event)).await.unwrap();
    }
    assert_eq!(amounts(&billing, seller, buyer).await, ("75.00".to_owned(), "0.00".to_owned(), "75.00".to_owned()));
    let moved: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.kind, sum(e.amount)::text FROM billing.entries e JOIN billing.accounts a USING (account_id) \
         JOIN billing.postings p USING (posting_id) WHERE p.kind = 'lead_purchase' GROUP BY a.kind ORDER BY a.kind",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let expected = [("buyer_wallet", "-25.00"), ("platform_fees", "1.25"), ("seller_earnings", "23.75")];
    assert_eq!(moved, expected.map(|(kind, sum)| (kind.to_owned(), sum.to_owned())));
    assert_eq!(
        billing.place_holds(seller, &[hold]).await.unwrap(),
        [HoldOutcome::AlreadyCaptured],
        "a repeat of the decision"
    );
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_redelivered_to_two_replicas_at_once_makes_one_posting_a_sale() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, one) = world.tenant(&replicas[0], "1000.00").await;
    let other = world.buyer(&replicas[0], seller, "1000.00").await;
    let holds: Vec<_> = (0..30).map(|n| request(seller, if n % 2 == 0 { one } else { other }, "10.00")).collect();
    replicas[0].place_holds(seller, &holds).await.unwrap();
    let batch: Vec<_> = holds.iter().map(|hold| message(&assigned(&[hold]))).collect();
    let twice: Vec<_> = batch.iter().chain(&batch).cloned().collect();
    let captures = join_all([0, 1, 0, 1].map(|replica| capture(&replicas[replica], &twice))).await;
    assert!(captures.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(world.count("SELECT count(*) FROM billing.postings WHERE kind = 'lead_purchase'").await, 30);
    assert_eq!(amounts(&replicas[0], seller, one).await.0, "850.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_charges_every_buyer_and_each_line_has_its_own_balance() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, one) = world.tenant(&billing, "100.00").await;
    let other = world.buyer(&billing, seller, "50.00").await;
    let mut holds = [request(seller, one, "10.00"), request(seller, other, "10.00"), request(seller, one, "20.00")];
    (holds[1].lead, holds[1].campaign) = (holds[0].lead, holds[0].campaign);
    billing.place_holds(seller, &holds).await.unwrap();
    capture(&billing, &[message(&assigned(&[&holds[0], &holds[1]])), message(&assigned(&[&holds[2]]))]).await.unwrap();
    let page = billing.statement(seller, one, None, 10).await.unwrap();
    let lines: Vec<_> =
        page.lines.iter().map(|line| (line.amount.to_string(), line.balance_after.to_string())).collect();
    let expected = [("-20.00", "70.00"), ("-10.00", "90.00"), ("100.00", "100.00")];
    assert_eq!(lines, expected.map(|(amount, after)| (amount.to_owned(), after.to_owned())));
    assert_eq!(page.lines[0].description, "Solar Florida");
    assert_eq!(page.lines[0].assignment, Some(holds[2].id));
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_whose_hold_was_placed_by_a_replica_that_died_is_paid_by_another() {
    let world = World::new().await;
    let dead = world.replica();
    let (seller, buyer) = world.tenant(&dead, "100.00").await;
    let hold = request(seller, buyer, "25.00");
    dead.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    drop(dead);
    let billing = world.replica();
    capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    assert_eq!(amounts(&billing, seller, buyer).await.0, "75.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_cut_off_in_its_transaction_leaves_nothing_and_the_next_delivery_pays_once() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let hold = request(seller, buyer, "25.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    let event = message(&assigned(&[&hold]));
    // The capture waits for the wallet, in its transaction; then its connection is killed.
    let mut blocker = world.pool().begin().await.unwrap();
    sqlx::query("SELECT FROM billing.wallets FOR UPDATE").execute(&mut *blocker).await.unwrap();
    let capturing = tokio::spawn({
        let (billing, event) = (billing.clone(), event.clone());
        async move { capture(&billing, &[event]).await }
    });
    wait::until("the capture waits", PATIENCE, async || {
        world
            .count(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .await
            > 0
    })
    .await;
    assert!(matches!(capturing.await.unwrap(), Err(HandleError::Transient(_))), "to be tried again");
    blocker.rollback().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM billing.postings WHERE kind = 'lead_purchase'").await, 0);
    capture(&billing, &[event]).await.unwrap();
    assert_eq!(amounts(&billing, seller, buyer).await.0, "75.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_without_a_hold_is_paid_from_free_money_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "30.00").await;
    let event = message(&assigned(&[&request(seller, buyer, "25.00")]));
    let batch = [event];
    let (one, two) = tokio::join!(capture(&replicas[0], &batch), capture(&replicas[1], &batch));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(amounts(&replicas[0], seller, buyer).await.0, "5.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_nobody_can_pay_is_refused_but_the_others_of_its_event_and_batch_are_paid() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, rich) = world.tenant(&billing, "100.00").await;
    let poor = world.buyer(&billing, seller, "1.00").await;
    let held = request(seller, rich, "25.00");
    billing.place_holds(seller, std::slice::from_ref(&held)).await.unwrap();
    let unpayable = message(&assigned(&[&request(seller, poor, "25.00"), &request(seller, rich, "10.00")]));
    let good = message(&assigned(&[&held]));
    // As the consumer does it: together, and after a refusal one by one.
    let both = [unpayable.clone(), good.clone()];
    assert!(matches!(capture(&billing, &both).await, Err(HandleError::Permanent(_))));
    assert_eq!(world.count("SELECT count(*) FROM billing.postings WHERE kind = 'lead_purchase'").await, 0);
    for _ in 0..2 {
        let refused = capture(&billing, std::slice::from_ref(&unpayable)).await;
        let Err(HandleError::Permanent(error)) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("the wallet cannot pay it"), "{error}");
    }
    capture(&billing, &[good]).await.unwrap();
    assert_eq!(amounts(&billing, seller, rich).await.0, "65.00");
    assert_eq!(amounts(&billing, seller, poor).await.0, "1.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_tenant_or_with_a_negative_price_takes_nothing() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let (stranger, _) = world.tenant(&billing, "100.00").await;
    let mut stolen = request(seller, buyer, "25.00");
    stolen.seller = stranger;
    assert!(matches!(capture(&billing, &[message(&assigned(&[&stolen]))]).await, Err(HandleError::Permanent(_))));
    let mut negative = assigned(&[&request(seller, buyer, "25.00")]);
    negative.assignments[0].price = proto_usd("-25.00");
    assert!(matches!(capture(&billing, &[message(&negative)]).await, Err(HandleError::Permanent(_))));
    let mut garbage = message(&assigned(&[&request(seller, buyer, "25.00")]));
    garbage.payload = vec![0xff; 9].into();
    assert!(matches!(capture(&billing, &[garbage]).await, Err(HandleError::Permanent(_))));
    assert_eq!(amounts(&billing, seller, buyer).await.0, "100.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_lead_is_on_the_statement_with_zero() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "0.00").await;
    let hold = request(seller, buyer, "0.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    let page = billing.statement(seller, buyer, None, 10).await.unwrap();
    assert_eq!((page.lines.len(), page.lines[0].amount), (1, dec("0")));
    world.check_books().await;
}
