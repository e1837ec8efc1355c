//! Sellers' and buyers' records, in any order and any number of times.

use leadflow_billing_domain::HoldOutcome::{Held, WalletBlocked};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_messaging::consumer::HandleError;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_whose_seller_is_not_known_yet_gets_a_wallet_that_waits() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = (SellerId::new(), BuyerId::new());
    apply(&billing, &[message(&buyer_changed(seller, buyer, 1))]).await.unwrap();
    assert!(billing.wallet(seller, buyer).await.is_err(), "no currency yet");
    assert_eq!(billing.place_holds(seller, &[request(seller, buyer, "0.00")]).await.unwrap(), [WalletBlocked]);
    apply(&billing, &[message(&seller_changed(seller, 1))]).await.unwrap();
    credit(&billing, seller, buyer, "10.00").await;
    assert_eq!(billing.place_holds(seller, &[request(seller, buyer, "10.00")]).await.unwrap(), [Held]);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_tenant_on_two_replicas_at_once_and_repeated_make_each_wallet_and_account_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    for _ in 0..20 {
        let seller = SellerId::new();
        // The tenant is heard of before its own record comes, as when records arrive out of order.
        let early = BuyerId::new();
        apply(&replicas[0], &[message(&buyer_changed(seller, early, 1))]).await.unwrap();
        let buyers: Vec<BuyerId> = (0..5).map(|_| BuyerId::new()).collect();
        let mut batch = vec![message(&seller_changed(seller, 1))];
        let wallets: Vec<_> = buyers.iter().map(|buyer| message(&buyer_changed(seller, *buyer, 1))).collect();
        let (one, two) = tokio::join!(apply(&replicas[0], &wallets), apply(&replicas[1], &batch));
        assert!(one.is_ok() && two.is_ok());
        batch.extend(wallets.into_iter().rev());
        let (one, two) = tokio::join!(apply(&replicas[0], &batch), apply(&replicas[1], &batch));
        assert!(one.is_ok() && two.is_ok());
        for buyer in buyers.into_iter().chain([early]) {
            credit(&replicas[0], seller, buyer, "1.00").await;
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM billing.accounts").await, 20 * (3 + 6));
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_record_does_not_undo_a_newer_one() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let mut newer = buyer_changed(seller, buyer, 5);
    newer.weekly_spending_limit = proto_usd("0.00");
    // In one batch, the older one last.
    apply(&billing, &[message(&newer), message(&buyer_changed(seller, buyer, 4))]).await.unwrap();
    apply(&billing, &[message(&buyer_changed(seller, buyer, 3))]).await.unwrap();
    assert_eq!(billing.wallet(seller, buyer).await.unwrap().weekly_limit, Some(dec("0.00")));

    let mut zero_fee = seller_changed(seller, 3);
    zero_fee.platform_fee_percent = "0".to_owned();
    apply(&billing, &[message(&zero_fee)]).await.unwrap();
    apply(&billing, &[message(&seller_changed(seller, 2))]).await.unwrap();
    assert_eq!(billing.wallet(seller, buyer).await.unwrap().terms.fee_percent, dec("0"), "zero percent is zero");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_with_money_in_it_does_not_change_and_a_buyer_does_not_move() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let (stranger, _) = world.tenant(&billing, "0.00").await;
    let mut euro = seller_changed(seller, 2);
    euro.currency = "EUR".to_owned();
    apply(&billing, &[message(&euro), message(&buyer_changed(stranger, buyer, 9))]).await.unwrap();
    let wallet = billing.wallet(seller, buyer).await.unwrap();
    assert_eq!(wallet.terms.currency.code(), "USD");
    assert!(billing.wallet(stranger, buyer).await.is_err());
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_refused_for_good() {
    let world = World::new().await;
    let billing = world.replica();
    let mut bad = seller_changed(SellerId::new(), 1);
    bad.time_zone = "Mars/Olympus".to_owned();
    assert!(matches!(apply(&billing, &[message(&bad)]).await, Err(HandleError::Permanent(_))));
    assert_eq!(world.count("SELECT count(*) FROM billing.sellers").await, 0);
}
