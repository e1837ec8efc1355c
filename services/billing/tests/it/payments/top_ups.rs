//! A buyer charges his card.

use chrono::TimeDelta;
use leadflow_billing::app::payments::{Heard, NewTopUp, ProviderNews as _};
use leadflow_billing_domain::PaymentState::{Canceled, Declined, Pending, RequiresAction, Succeeded};
use leadflow_contracts::{
    events::{PaymentChanged, PaymentNews, WalletCredited},
    subjects,
};
use leadflow_kernel::PaymentId;

use super::{
    Shop,
    provider::{Card, Fault},
    refused, state,
};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_pays_is_credited_and_told_at_once() {
    let shop = Shop::open("0.00").await;
    let mut credited = shop.world.bus.subscribe_core(subjects::WALLET_CREDITED).await.unwrap();
    let mut told = shop.world.bus.subscribe_core(subjects::PAYMENT_SUCCEEDED).await.unwrap();
    let view = shop.top_up("100.00").await;
    assert_eq!(state(&view), Succeeded);
    let line = view.line.as_ref().unwrap();
    assert_eq!((line.kind.as_str(), line.amount, line.intent.as_deref()), ("top_up", dec("100.00"), Some("pi_1")));
    assert_eq!(shop.available().await, "100.00");
    let event: WalletCredited = next(&mut credited).await;
    assert_eq!(event.posting_id, line.posting.to_string());
    let event: PaymentChanged = next(&mut told).await;
    assert_eq!((event.news(), event.recharge), (PaymentNews::Succeeded, false));
    assert!(!shop.provider.charges()[0].off_session);
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_twice_at_once_on_two_replicas_is_one_charge() {
    let shop = Shop::open("0.00").await;
    shop.provider.close();
    let (one, two) = (shop.payments.clone(), shop.replica());
    let (a, b) = (shop.order("same", "50.00"), shop.order("same", "50.00"));
    let (a, b) = (tokio::spawn(async move { one.top_up(a).await }), tokio::spawn(async move { two.top_up(b).await }));
    shop.provider.open();
    let (a, b) = (a.await.unwrap().unwrap(), b.await.unwrap().unwrap());
    assert_eq!((a.payment.id, state(&a), state(&b)), (b.payment.id, Succeeded, Succeeded));
    assert_eq!((shop.provider.charges().len(), shop.available().await.as_str()), (1, "50.00"));
    // And a third time, later, without asking anybody.
    let calls = shop.provider.calls();
    assert_eq!(shop.payments.top_up(shop.order("same", "50.00")).await.unwrap().payment.id, a.payment.id);
    assert_eq!(shop.provider.calls(), calls);
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_and_a_lost_request_are_settled_later_by_one_charge_each() {
    let shop = Shop::open("0.00").await;
    for fault in [Fault::LostAnswer, Fault::LostRequest, Fault::Busy] {
        shop.provider.faults([fault]);
        let view = shop.top_up("50.00").await;
        assert_eq!(state(&view), Pending, "{fault:?}");
    }
    assert_eq!(shop.available().await, "0.00");
    // Not before its time.
    assert_eq!(shop.payments.ask_about_open(10).await.unwrap(), 0);
    shop.pass(TimeDelta::seconds(10));
    let other = shop.replica();
    let (one, two) = tokio::join!(shop.payments.ask_about_open(10), other.ask_about_open(10));
    assert_eq!(one.unwrap() + two.unwrap(), 3);
    assert_eq!((shop.provider.charges().len(), shop.available().await.as_str()), (3, "150.00"));
    shop.check_books().await;
    assert_eq!(shop.clearing().await, shop.provider.taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_between_writing_and_charging_leaves_it_to_another_replica() {
    let shop = Shop::open("0.00").await;
    shop.provider.close();
    let (payments, order) = (shop.payments.clone(), shop.order("r", "50.00"));
    let dying = tokio::spawn(async move { payments.top_up(order).await });
    leadflow_testkit::wait::until("the payment is written", PATIENCE, async || {
        shop.world.count("SELECT count(*) FROM billing.payments").await == 1
    })
    .await;
    dying.abort();
    let _ = dying.await;
    shop.provider.open();
    shop.pass(TimeDelta::seconds(59));
    assert_eq!(shop.replica().ask_about_open(10).await.unwrap(), 0);
    shop.pass(TimeDelta::seconds(2));
    assert_eq!(shop.replica().ask_about_open(10).await.unwrap(), 1);
    assert_eq!((shop.provider.charges().len(), shop.available().await.as_str()), (1, "50.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_older_than_its_key_is_looked_up_and_never_made_again() {
    let shop = Shop::open("0.00").await;
    shop.provider.faults([Fault::LostAnswer, Fault::LostRequest]);
    let (made, never) = (shop.top_up("50.00").await, shop.top_up("70.00").await);
    shop.provider.forget_keys();
    shop.pass(TimeDelta::hours(23));
    assert_eq!(shop.payments.ask_about_open(10).await.unwrap(), 2);
    assert_eq!(state(&shop.payments.payment(shop.seller, made.payment.id).await.unwrap()), Succeeded);
    let never = shop.payments.payment(shop.seller, never.payment.id).await.unwrap();
    assert_eq!((state(&never), never.payment.decline_code.as_deref()), (Canceled, Some("never_charged")));
    assert_eq!((shop.provider.charges().len(), shop.available().await.as_str()), (1, "50.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_is_an_answer_and_money_that_comes_after_it_is_credited() {
    let shop = Shop::open("0.00").await;
    shop.provider.card("pm_1", Card::Declines("insufficient_funds"));
    let mut told = shop.world.bus.subscribe_core(subjects::PAYMENT_DECLINED).await.unwrap();
    let view = shop.top_up("50.00").await;
    assert_eq!((state(&view), view.payment.decline_code.as_deref()), (Declined, Some("insufficient_funds")));
    let event: PaymentChanged = next(&mut told).await;
    assert!(event.decline_message.contains("not have enough money"), "{event:?}");
    assert_eq!(shop.available().await, "0.00");

    let before = shop.provider.show(view.payment.id);
    let intent = shop.provider.confirm(view.payment.id);
    assert_eq!(shop.payments.charge(&intent).await.unwrap(), Heard::Booked);
    // The same again, and what was said before.
    for old in [&intent, &before] {
        assert_eq!(shop.replica().charge(old).await.unwrap(), Heard::Known);
    }
    assert_eq!(state(&shop.payments.payment(shop.seller, view.payment.id).await.unwrap()), Succeeded);
    assert_eq!(shop.available().await, "50.00");
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_its_owner_confirms_is_credited_once_by_webhook_and_worker_at_once() {
    let shop = Shop::open("0.00").await;
    shop.provider.card("pm_1", Card::WantsItsOwner);
    let view = shop.top_up("50.00").await;
    assert_eq!((state(&view), view.payment.client_secret.as_deref()), (RequiresAction, Some("pi_1_secret")));
    // Asked for again, it says the same.
    let again = shop.payments.top_up(NewTopUp { ..shop.order(view.payment.request.as_deref().unwrap(), "50.00") });
    assert_eq!(again.await.unwrap().payment.client_secret, view.payment.client_secret);
    let intent = shop.provider.confirm(view.payment.id);
    shop.pass(TimeDelta::minutes(2));
    let replicas: Vec<_> = (0..6).map(|_| shop.replica()).collect();
    let told = replicas.iter().map(|payments| async {
        let (heard, asked) = tokio::join!(payments.charge(&intent), payments.ask_about_open(10));
        (heard.unwrap(), asked.unwrap())
    });
    let told = futures::future::join_all(told).await;
    assert!(told.iter().filter(|(heard, _)| *heard == Heard::Booked).count() <= 1, "{told:?}");
    assert_eq!(shop.available().await, "50.00");
    let view = shop.payments.payment(shop.seller, view.payment.id).await.unwrap();
    assert_eq!((state(&view), view.payment.client_secret), (Succeeded, None));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_nobody_confirms_is_given_up_and_one_confirmed_at_that_moment_is_not() {
    let shop = Shop::open("0.00").await;
    shop.provider.card("pm_1", Card::WantsItsOwner);
    let (left, late) = (shop.top_up("50.00").await, shop.top_up("60.00").await);
    shop.pass(TimeDelta::minutes(59));
    shop.payments.ask_about_open(10).await.unwrap();
    assert_eq!(state(&shop.payments.payment(shop.seller, left.payment.id).await.unwrap()), RequiresAction);
    shop.provider.confirm(late.payment.id);
    shop.pass(TimeDelta::minutes(11));
    assert_eq!(shop.payments.ask_about_open(10).await.unwrap(), 2);
    assert_eq!(state(&shop.payments.payment(shop.seller, left.payment.id).await.unwrap()), Canceled);
    assert_eq!(state(&shop.payments.payment(shop.seller, late.payment.id).await.unwrap()), Succeeded);
    assert_eq!(shop.available().await, "60.00");
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_the_provider_refuses_is_declined_unless_an_earlier_one_was_heard() {
    let shop = Shop::open("0.00").await;
    shop.provider.faults([Fault::Refused]);
    let view = shop.top_up("50.00").await;
    assert_eq!((state(&view), view.payment.decline_code.as_deref()), (Declined, Some("refused")));
    shop.provider.faults([Fault::LostAnswer, Fault::Refused]);
    let view = shop.top_up("50.00").await;
    shop.pass(TimeDelta::minutes(1));
    shop.payments.ask_about_open(10).await.unwrap();
    assert_eq!(state(&shop.payments.payment(shop.seller, view.payment.id).await.unwrap()), Succeeded);
    assert_eq!((shop.provider.charges().len(), shop.available().await.as_str()), (1, "50.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_charged_is_refused_and_nothing_is_asked() {
    let shop = Shop::open("0.00").await;
    for amount in ["9.99", "1000.01", "0.00", "-5.00"] {
        let error = refused(shop.payments.top_up(shop.order("r", amount)).await);
        assert!(error.contains("10 to 1000"), "{error}");
    }
    // Somebody else's card, one that was removed, and none.
    let other = shop.world.buyer(&shop.billing, shop.seller, "0.00").await;
    let theirs = shop.store_card(other, "pm_theirs", true).await;
    let removed = shop.store_card(shop.buyer, "pm_removed", false).await;
    sqlx::query("UPDATE billing.cards SET removed_at = now() WHERE card_id = $1")
        .bind(removed.uuid())
        .execute(shop.world.pool())
        .await
        .unwrap();
    for card in [theirs.to_string(), "pm_theirs".to_owned(), removed.to_string(), "pm_nobody".to_owned()] {
        let order = NewTopUp { card, ..shop.order("r", "50.00") };
        assert_eq!(refused(shop.payments.top_up(order).await), "the buyer has no such card");
    }
    let cardless = shop.world.buyer(&shop.billing, shop.seller, "0.00").await;
    let order = NewTopUp { buyer: cardless, ..shop.order("r", "50.00") };
    assert_eq!(refused(shop.payments.top_up(order).await), "the buyer has no card");
    let (stranger, _) = shop.world.tenant(&shop.billing, "0.00").await;
    let order = NewTopUp { seller: stranger, ..shop.order("r", "50.00") };
    assert_eq!(refused(shop.payments.top_up(order).await), "no such wallet");
    assert_eq!(shop.provider.calls(), 0);
    // What a used request's id says, and what other tenants see of a payment.
    let view = shop.payments.top_up(shop.order("r", "50.00")).await.unwrap();
    for order in [
        shop.order("r", "50.01"),
        NewTopUp { buyer: other, ..shop.order("r", "50.00") },
        NewTopUp { card: theirs.to_string(), ..shop.order("r", "50.00") },
    ] {
        assert!(refused(shop.payments.top_up(order).await).starts_with("a payment with this request_id exists"));
    }
    let same = NewTopUp { card: "pm_1".to_owned(), ..shop.order("r", "50.00") };
    assert_eq!(shop.payments.top_up(same).await.unwrap().payment.id, view.payment.id);
    assert_eq!(refused(shop.payments.payment(stranger, view.payment.id).await), "no such payment");
    assert_eq!(refused(shop.payments.payment(shop.seller, PaymentId::new()).await), "no such payment");
    assert_eq!(shop.provider.charges().len(), 1);
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_of_nobody_or_a_second_one_of_a_payment_is_not_credited() {
    let shop = Shop::open("0.00").await;
    let view = shop.top_up("50.00").await;
    let mut intent = shop.provider.show(view.payment.id);
    intent.id = "pi_second".to_owned();
    assert_eq!(shop.payments.charge(&intent).await.unwrap(), Heard::NotOurs);
    intent.payment = Some(PaymentId::new());
    assert_eq!(shop.payments.charge(&intent).await.unwrap(), Heard::NotOurs);
    assert_eq!(shop.available().await, "50.00");
    shop.check_books().await;
}
