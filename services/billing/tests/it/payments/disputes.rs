//! A card's owner disputes a charge.

use leadflow_billing::app::payments::{DisputeNews, DisputeState, Heard, PaymentView, ProviderNews as _};
use leadflow_billing_domain::HoldOutcome;
use leadflow_contracts::{
    events::{DisputeChanged, WalletLimitsChanged},
    subjects,
};

use super::{Shop, provider::Fault};
use crate::support::*;

fn news(view: &PaymentView, state: DisputeState, amount: &str) -> DisputeNews {
    DisputeNews {
        id: "dp_1".to_owned(),
        intent: view.payment.intent.clone().unwrap_or_else(|| "pi_1".to_owned()),
        payment: None,
        state,
        amount: usd(amount),
    }
}

async fn hold(shop: &Shop, billing: &leadflow_billing::app::Billing) -> HoldOutcome {
    billing.place_holds(shop.seller, &[request(shop.seller, shop.buyer, "1.00")]).await.unwrap()[0]
}

async fn disputed(shop: &Shop) -> i64 {
    shop.world
        .count(
            "SELECT coalesce(sum(e.amount) * 100, 0)::bigint FROM billing.entries e \
             JOIN billing.accounts a USING (account_id) WHERE a.kind = 'disputed'",
        )
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disputed_money_is_set_aside_and_the_wallet_suspended_also_where_a_replica_believes_otherwise() {
    let shop = Shop::open("100.00").await;
    let mut opened = shop.world.bus.subscribe_core(subjects::PAYMENT_DISPUTE_OPENED).await.unwrap();
    let mut lifted = shop.world.bus.subscribe_core(subjects::WALLET_LIMITS_CHANGED).await.unwrap();
    let view = shop.top_up("50.00").await;
    // This replica believes that holds can be placed, and would do so in one statement.
    let other = shop.world.replica();
    for _ in 0..2 {
        assert_eq!(hold(&shop, &other).await, HoldOutcome::Held);
    }
    let open = news(&view, DisputeState::Open, "50.00");
    assert_eq!(shop.payments.dispute(&open).await.unwrap(), Heard::Booked);
    assert_eq!(shop.payments.dispute(&open).await.unwrap(), Heard::Known);
    let event: DisputeChanged = next(&mut opened).await;
    assert!(!event.closed);
    assert_eq!(hold(&shop, &other).await, HoldOutcome::WalletBlocked);
    assert_eq!((shop.available().await.as_str(), disputed(&shop).await), ("98.00", 5_000));
    assert!(shop.billing.wallet(shop.seller, shop.buyer).await.unwrap().suspended);
    shop.check_books().await;

    let won = news(&view, DisputeState::Won, "50.00");
    assert_eq!(shop.payments.dispute(&won).await.unwrap(), Heard::Booked);
    for late in [&won, &open, &news(&view, DisputeState::Lost, "50.00")] {
        assert_eq!(shop.payments.dispute(late).await.unwrap(), Heard::Known);
    }
    let event: WalletLimitsChanged = next(&mut lifted).await;
    assert_eq!(event.buyer_id, shop.buyer.to_string());
    assert_eq!(hold(&shop, &other).await, HoldOutcome::Held);
    assert_eq!((shop.available().await.as_str(), disputed(&shop).await), ("147.00", 0));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_is_owed_and_the_wallet_stays_suspended_until_it_is_repaid() {
    let shop = Shop::open("0.00").await;
    let view = shop.top_up("50.00").await;
    let sold = request(shop.seller, shop.buyer, "30.00");
    shop.billing.place_holds(shop.seller, std::slice::from_ref(&sold)).await.unwrap();
    shop.payments.dispute(&news(&view, DisputeState::Open, "50.00")).await.unwrap();
    // What stands is still paid.
    capture(&shop.billing, &[message(&assigned(&[&sold]))]).await.unwrap();
    shop.payments.dispute(&news(&view, DisputeState::Lost, "50.00")).await.unwrap();
    let wallet = shop.billing.wallet(shop.seller, shop.buyer).await.unwrap();
    assert_eq!((wallet.debt, wallet.balance, wallet.suspended), (dec("30.00"), dec("0.00"), true));
    assert_eq!((shop.clearing().await, disputed(&shop).await), (0, 0));
    shop.top_up("40.00").await;
    let wallet = shop.billing.wallet(shop.seller, shop.buyer).await.unwrap();
    assert_eq!((wallet.debt, wallet.balance, wallet.suspended), (dec("0.00"), dec("10.00"), false));
    // Nothing of the lost payment can be given back; of the new one what is unspent.
    assert_eq!(shop.payments.payment(shop.seller, view.payment.id).await.unwrap().payment.refundable(), dec("0.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_in_the_wrong_order_books_the_same() {
    for (first, second, available, clearing) in
        [(DisputeState::Lost, DisputeState::Open, "0.00", 0), (DisputeState::Won, DisputeState::Open, "50.00", 5_000)]
    {
        let shop = Shop::open("0.00").await;
        // Not even the charge has been heard of.
        shop.provider.faults([Fault::LostAnswer]);
        let view = shop.top_up("50.00").await;
        assert_eq!(shop.payments.dispute(&news(&view, first, "50.00")).await.unwrap(), Heard::Booked);
        assert_eq!(shop.payments.dispute(&news(&view, second, "50.00")).await.unwrap(), Heard::Known);
        assert_eq!((shop.available().await.as_str(), shop.clearing().await), (available, clearing));
        assert!(!shop.billing.wallet(shop.seller, shop.buyer).await.unwrap().suspended);
        shop.check_books().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dispute_told_on_four_replicas_at_once_is_booked_once() {
    let shop = Shop::open("0.00").await;
    let view = shop.top_up("50.00").await;
    let open = news(&view, DisputeState::Open, "20.00");
    let replicas: Vec<_> = (0..4).map(|_| shop.replica()).collect();
    let told = futures::future::join_all(replicas.iter().map(|payments| payments.dispute(&open))).await;
    assert_eq!(told.into_iter().filter(|heard| matches!(heard, Ok(Heard::Booked))).count(), 1);
    assert_eq!((shop.available().await.as_str(), disputed(&shop).await), ("30.00", 2_000));
    shop.check_books().await;
}
