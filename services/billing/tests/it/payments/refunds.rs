//! Unspent balance goes back to the cards it came from.

use chrono::TimeDelta;
use leadflow_billing::{
    app::payments::{Heard, NewRefund, ProviderNews as _, RefundNews, Refunded},
    outbound::provider::RefundStatus,
    workers::recharge::Recharger,
};
use leadflow_billing_domain::RefundState::{Failed, Pending, Succeeded};
use leadflow_contracts::{events::PaymentRefunded, subjects};

use super::{Shop, provider::Fault, refused};
use crate::support::*;

impl Shop {
    fn refund_order(&self, request: &str, amount: &str) -> NewRefund {
        NewRefund {
            seller: self.seller,
            buyer: self.buyer,
            request: request.to_owned(),
            amount: usd(amount),
            reason: "Leaves".to_owned(),
        }
    }

    async fn refund(&self, request: &str, amount: &str) -> Refunded {
        self.payments.refund_balance(None, self.refund_order(request, amount)).await.unwrap()
    }

    async fn in_order(&self) {
        self.check_books().await;
        assert_eq!(self.clearing().await, self.provider.taken());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_payments_are_given_back_first_and_never_more_than_is_unspent_or_came_from_cards() {
    let shop = Shop::open("30.00").await;
    let mut told = shop.world.bus.subscribe_core(subjects::PAYMENT_REFUNDED).await.unwrap();
    let old = shop.top_up("50.00").await;
    shop.pass(TimeDelta::minutes(1));
    let new = shop.top_up("40.00").await;
    let refunded = shop.refund("r", "60.00").await;
    let parts: Vec<_> = refunded.refunds.iter().map(|it| (it.payment, it.amount, it.state)).collect();
    assert_eq!(parts, [(new.payment.id, dec("40.00"), Succeeded), (old.payment.id, dec("20.00"), Succeeded)]);
    let event: PaymentRefunded = next(&mut told).await;
    assert_eq!(event.payment_id, new.payment.id.to_string());
    assert_eq!(shop.available().await, "60.00");
    // The same again does nothing; another amount with its id is refused.
    assert_eq!(shop.refund("r", "60.00").await.refunds, refunded.refunds);
    let error = refused(shop.payments.refund_balance(None, shop.refund_order("r", "61.00")).await);
    assert!(error.starts_with("a refund with this request_id exists"), "{error}");
    // 30.00 came by hand; 25.00 are held.
    let error = refused(shop.payments.refund_balance(None, shop.refund_order("x", "30.01")).await);
    assert_eq!(error, "only 30.00 came from cards and can go back");
    shop.billing.place_holds(shop.seller, &[request(shop.seller, shop.buyer, "35.00")]).await.unwrap();
    let error = refused(shop.payments.refund_balance(None, shop.refund_order("x", "25.01")).await);
    assert_eq!(error, "only 25.00 of the balance is unspent");
    assert!(
        refused(shop.payments.refund_balance(None, shop.refund_order("x", "0.00")).await).contains("more than zero")
    );
    let (stranger, _) = shop.world.tenant(&shop.billing, "0.00").await;
    let foreign = NewRefund { seller: stranger, ..shop.refund_order("x", "5.00") };
    assert_eq!(refused(shop.payments.refund_balance(None, foreign).await), "no such wallet");
    assert_eq!(shop.refund("x", "25.00").await.refunds.len(), 1);
    assert_eq!(
        shop.world.count("SELECT count(*) FROM billing.audit_entries WHERE action = 'wallet.refunded'").await,
        2
    );
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refunds_at_once_never_give_back_the_same_money() {
    let shop = Shop::open("0.00").await;
    shop.top_up("50.00").await;
    let other = shop.replica();
    let (a, b, again) =
        (shop.refund_order("a", "30.00"), shop.refund_order("b", "30.00"), shop.refund_order("a", "30.00"));
    let (a, b, again) = tokio::join!(
        shop.payments.refund_balance(None, a),
        other.refund_balance(None, b),
        other.refund_balance(None, again)
    );
    let refused = [a.is_err(), b.is_err()].into_iter().filter(|refused| *refused).count();
    assert_eq!(refused, 1);
    assert_eq!(a.is_err(), again.is_err());
    assert_eq!((shop.provider.taken(), shop.available().await.as_str()), (2_000, "20.00"));
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_money_is_gone_before_the_provider_is_asked_and_back_when_it_refuses() {
    let shop = Shop::open("0.00").await;
    shop.top_up("50.00").await;
    shop.provider.faults([Fault::Refused]);
    let refunded = shop.refund("r", "50.00").await;
    assert_eq!((refunded.refunds[0].state, refunded.wallet.balance), (Failed, dec("50.00")));
    shop.provider.faults([Fault::LostRequest]);
    let refunded = shop.refund("s", "50.00").await;
    assert_eq!((refunded.refunds[0].state, refunded.wallet.balance), (Pending, dec("0.00")));
    shop.pass(TimeDelta::minutes(1));
    assert_eq!(shop.payments.ask_about_refunds(10).await.unwrap(), 1);
    assert_eq!(shop.refund("s", "50.00").await.refunds[0].state, Succeeded);
    assert_eq!(shop.provider.refunds().len(), 1);
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_is_lost_is_made_once_also_when_its_key_is_too_old_to_ask_with() {
    for hours in [0, 24] {
        let shop = Shop::open("0.00").await;
        shop.top_up("50.00").await;
        shop.provider.faults([Fault::LostAnswer, Fault::LostRequest]);
        shop.refund("made", "20.00").await;
        shop.refund("never", "10.00").await;
        shop.pass(TimeDelta::hours(hours) + TimeDelta::minutes(2));
        shop.payments.ask_about_refunds(10).await.unwrap();
        assert_eq!(shop.refund("made", "20.00").await.refunds[0].state, Succeeded);
        let never = shop.refund("never", "10.00").await.refunds[0].state;
        assert_eq!(never, if hours == 0 { Succeeded } else { Failed });
        shop.in_order().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_after_it_succeeded_brings_its_money_back_once() {
    let shop = Shop::open("0.00").await;
    let view = shop.top_up("50.00").await;
    let refunded = shop.refund("r", "20.00").await;
    let (id, ours, amount, _) = shop.provider.refunds()[0].clone();
    shop.provider.fail_refund(&id);
    let intent = view.payment.intent.clone().unwrap();
    let news = |status| RefundNews { id: id.clone(), refund: ours, intent: intent.clone(), status, amount };
    let (failed, other) = (news(RefundStatus::Failed), shop.replica());
    let (one, two) = tokio::join!(shop.payments.refund(&failed), other.refund(&failed));
    assert_eq!([one.unwrap(), two.unwrap()].into_iter().filter(|heard| *heard == Heard::Booked).count(), 1);
    // What was said before it failed comes late.
    assert_eq!(shop.payments.refund(&news(RefundStatus::Succeeded)).await.unwrap(), Heard::Known);
    assert_eq!(shop.refund("r", "20.00").await.refunds[0].state, Failed);
    assert_eq!((refunded.refunds.len(), shop.available().await.as_str()), (1, "50.00"));
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_back_on_the_providers_own_pages_leaves_the_wallet_or_is_owed() {
    let shop = Shop::open("0.00").await;
    let view = shop.top_up("50.00").await;
    let intent = view.payment.intent.clone().unwrap();
    shop.refund("r", "10.00").await;
    let sold = request(shop.seller, shop.buyer, "30.00");
    shop.billing.place_holds(shop.seller, std::slice::from_ref(&sold)).await.unwrap();
    let id = shop.provider.refund_elsewhere(&intent, usd("25.00"));
    let other = shop.replica();
    let (one, two) = tokio::join!(shop.payments.charge_refunded(&intent), other.charge_refunded(&intent));
    assert_eq!([one.unwrap(), two.unwrap()].into_iter().filter(|heard| *heard == Heard::Booked).count(), 1);
    // 10.00 were free; 30.00 are held and stay covered; 15.00 are owed.
    assert_eq!(shop.amounts().await, ("30.00".to_owned(), "30.00".to_owned(), "0.00".to_owned()));
    assert_eq!(shop.billing.wallet(shop.seller, shop.buyer).await.unwrap().debt, dec("15.00"));
    capture(&shop.billing, &[message(&assigned(&[&sold]))]).await.unwrap();
    // What comes in repays it first, card or not.
    credit(&shop.billing, shop.seller, shop.buyer, "5.00").await;
    shop.top_up("20.00").await;
    let wallet = shop.billing.wallet(shop.seller, shop.buyer).await.unwrap();
    assert_eq!((wallet.debt, wallet.balance), (dec("0.00"), dec("10.00")));
    // And it did not arrive after all.
    shop.provider.fail_refund(&id);
    assert_eq!(shop.payments.charge_refunded(&intent).await.unwrap(), Heard::Booked);
    assert_eq!(shop.payments.charge_refunded(&intent).await.unwrap(), Heard::Known);
    assert_eq!(shop.available().await, "35.00");
    assert_eq!(shop.payments.charge_refunded("pi_of_nobody").await.unwrap(), Heard::NotOurs);
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_told_before_the_charge_it_is_of_books_both() {
    let shop = Shop::open("0.00").await;
    shop.provider.faults([Fault::LostAnswer]);
    let view = shop.top_up("50.00").await;
    let intent = shop.provider.show(view.payment.id).id;
    shop.provider.refund_elsewhere(&intent, usd("20.00"));
    assert_eq!(shop.payments.charge_refunded(&intent).await.unwrap(), Heard::Booked);
    assert_eq!(shop.available().await, "30.00");
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_never_made_is_not_taken_for_one_made_elsewhere() {
    let shop = Shop::open("0.00").await;
    let intent = shop.top_up("50.00").await.payment.intent.unwrap();
    shop.provider.faults([Fault::LostRequest]);
    shop.refund("never", "20.00").await;
    let foreign = shop.provider.refund_elsewhere(&intent, usd("20.00"));
    shop.pass(TimeDelta::hours(24));
    shop.payments.ask_about_refunds(10).await.unwrap();
    assert_eq!(shop.refund("never", "20.00").await.refunds[0].state, Failed);
    assert_eq!(shop.available().await, "30.00");
    // So it is known what to give back when that one does not arrive.
    shop.provider.fail_refund(&foreign);
    assert_eq!(shop.payments.charge_refunded(&intent).await.unwrap(), Heard::Booked);
    assert_eq!(shop.available().await, "50.00");
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_was_asked_for_before_one_of_ours_is_not_booked_after_it() {
    let shop = Shop::open("0.00").await;
    let intent = shop.top_up("50.00").await.payment.intent.unwrap();
    shop.provider.refund_elsewhere(&intent, usd("5.00"));
    shop.payments.charge_refunded(&intent).await.unwrap();
    shop.provider.slow_answer();
    let (other, asked) = (shop.replica(), intent.clone());
    let late = tokio::spawn(async move { other.charge_refunded(&asked).await });
    shop.provider.answer_is_on_its_way().await;
    assert_eq!(shop.refund("r", "10.00").await.refunds[0].state, Succeeded);
    shop.provider.let_answer_go();
    assert_eq!(late.await.unwrap().unwrap(), Heard::Known);
    assert_eq!(shop.available().await, "35.00");
    shop.in_order().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_not_charged_again() {
    for (amount, stays_on) in [("30.00", true), ("41.00", false)] {
        let shop = Shop::open("0.00").await;
        shop.top_up("50.00").await;
        shop.recharge("10.00", "100.00", false).await;
        shop.refund("r", amount).await;
        let recharge = shop.payments.recharge_settings(shop.seller, shop.buyer).await.unwrap().0;
        assert_eq!(recharge.enabled, stays_on, "{amount}: {}", recharge.turned_off_because);
        shop.pass(TimeDelta::minutes(2));
        Recharger::new(shop.replica()).step().await.unwrap();
        assert_eq!(shop.world.count("SELECT count(*) FROM billing.payments").await, 1, "{amount}");
        shop.in_order().await;
    }
}
