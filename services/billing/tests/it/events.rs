//! What billing tells.

use leadflow_billing::app::SeenHold;
use leadflow_billing_domain::{HoldRequest, Price};
use leadflow_contracts::{
    common::Status,
    events::{WalletCredited, WalletLimitsChanged, WalletLowBalance, WalletReleased},
    subjects,
};
use leadflow_testkit::wait;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_is_told_once_with_what_is_available_then() {
    let world = World::new().await;
    let billing = world.replica();
    let mut credited = world.bus.subscribe_core(subjects::WALLET_CREDITED).await.unwrap();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let event: WalletCredited = next(&mut credited).await;
    assert_eq!((event.buyer_id, event.seller_id), (buyer.to_string(), seller.to_string()));
    assert_eq!((event.amount, event.available), (proto_usd("100.00"), proto_usd("100.00")));
    billing.place_holds(seller, &[request(seller, buyer, "30.00")]).await.unwrap();
    credit(&billing, seller, buyer, "5.00").await;
    let event: WalletCredited = next(&mut credited).await;
    assert_eq!((event.amount, event.available), (proto_usd("5.00"), proto_usd("75.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_balance_is_told_once_for_each_crossing() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let mut low = world.bus.subscribe_core(subjects::WALLET_LOW_BALANCE).await.unwrap();
    billing.set_low_balance_threshold(None, seller, buyer, Price::new(usd("50.00")).unwrap()).await.unwrap();
    let hold = request(seller, buyer, "60.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    let event: WalletLowBalance = next(&mut low).await;
    assert_eq!((event.available, event.threshold), (proto_usd("40.00"), proto_usd("50.00")));
    // None of these crosses: further down, captured, a little more.
    billing.place_holds(seller, &[request(seller, buyer, "10.00")]).await.unwrap();
    capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    credit(&billing, seller, buyer, "1.00").await;
    // Above, and down again.
    credit(&billing, seller, buyer, "29.00").await;
    billing.place_holds(seller, &[request(seller, buyer, "11.00")]).await.unwrap();
    let event: WalletLowBalance = next(&mut low).await;
    assert_eq!(event.available, proto_usd("49.00"), "the next event is of the next crossing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_limit_and_another_status_are_told_a_lowered_limit_and_a_new_buyer_are_not() {
    let world = World::new().await;
    let billing = world.replica();
    let mut changed = world.bus.subscribe_core(subjects::WALLET_LIMITS_CHANGED).await.unwrap();
    let (seller, silent) = world.tenant(&billing, "0.00").await;
    let loud = world.buyer(&billing, seller, "0.00").await;
    let record = |buyer, version, limit: Option<&str>, status: Status| {
        let mut record = buyer_changed(seller, buyer, version);
        record.weekly_spending_limit = limit.and_then(proto_usd);
        record.status = status.into();
        message(&record)
    };
    apply(&billing, &[record(silent, 2, Some("50.00"), Status::Active)]).await.unwrap();
    apply(&billing, &[record(silent, 3, Some("40.00"), Status::Active)]).await.unwrap();
    for (version, limit, status) in [
        (2, Some("10.00"), Status::Paused),
        (3, Some("11.00"), Status::Paused),
        (4, None, Status::Paused),
        (5, None, Status::Active),
    ] {
        apply(&billing, &[record(loud, version, limit, status)]).await.unwrap();
        let event: WalletLimitsChanged = next(&mut changed).await;
        assert_eq!((event.buyer_id, event.seller_id), (loud.to_string(), seller.to_string()), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_holds_give_back_is_told_once_a_wallet_and_a_paid_hold_is_not() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let mut released = world.bus.subscribe_core(subjects::WALLET_RELEASED).await.unwrap();
    let holds = [request(seller, buyer, "25.00"), request(seller, buyer, "30.00"), request(seller, buyer, "45.00")];
    billing.place_holds(seller, &holds).await.unwrap();
    // Paid: nothing is free that was not.
    capture(&billing, &[message(&assigned(&[&holds[2]]))]).await.unwrap();
    let seen = |hold: &HoldRequest| SeenHold { id: hold.id, attempts: None };
    billing.release_holds(seller, &[seen(&holds[0]), seen(&holds[1]), seen(&holds[2])]).await.unwrap();
    let event: WalletReleased = next(&mut released).await;
    assert_eq!((event.buyer_id, event.seller_id), (buyer.to_string(), seller.to_string()));
    assert_eq!((event.amount, event.available), (proto_usd("55.00"), proto_usd("55.00")));
    // Nothing is given back twice. Placed again at a lower price, a hold gives back the difference; at one that the
    // wallet cannot pay, all of it.
    billing.release_holds(seller, &[seen(&holds[0]), seen(&holds[1])]).await.unwrap();
    for (price, told) in [("25.00", None), ("20.00", Some(("5.00", "35.00"))), ("60.00", Some(("20.00", "55.00")))] {
        let again = HoldRequest { price: Price::new(usd(price)).unwrap(), ..holds[0].clone() };
        billing.place_holds(seller, &[again]).await.unwrap();
        if let Some((amount, available)) = told {
            let event: WalletReleased = next(&mut released).await;
            assert_eq!((event.amount, event.available), (proto_usd(amount), proto_usd(available)));
        }
    }
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_written_while_nats_is_away_are_published_when_it_returns() {
    let mut world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "0.00").await;
    world.nats.kill9();
    credit(&billing, seller, buyer, "5.00").await;
    let hold = request(seller, buyer, "5.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    billing.release_holds(seller, &[SeenHold { id: hold.id, attempts: None }]).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM billing.outbox").await, 2);
    world.nats.restart().await.unwrap();
    wait::until("the outbox is empty", std::time::Duration::from_secs(40), async || {
        world.count("SELECT count(*) FROM billing.outbox").await == 0
    })
    .await;
}
