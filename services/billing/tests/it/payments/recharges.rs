//! A wallet that runs low is recharged by itself.

use chrono::TimeDelta;
use futures::future::join_all;
use leadflow_billing::{
    app::payments::{ProviderNews as _, RechargeChange},
    inbound::wallet_events::WalletEvents,
    workers::recharge::Recharger,
};
use leadflow_billing_domain::{HoldOutcome, Price};
use leadflow_contracts::{
    events::{PaymentChanged, RechargeTurnedOff, WalletLowBalance},
    subjects,
};
use leadflow_messaging::consumer::BatchHandler as _;

use super::{
    Shop,
    provider::{Card, Fault},
    refused,
};
use crate::support::*;

async fn step(shop: &Shop) -> usize {
    Recharger::new(shop.payments.clone()).step().await.unwrap().charged
}

async fn due(shop: &Shop) -> i64 {
    shop.world.count("SELECT count(*) FROM billing.recharge_due").await
}

async fn hold(shop: &Shop, price: &str) -> HoldOutcome {
    shop.billing.place_holds(shop.seller, &[request(shop.seller, shop.buyer, price)]).await.unwrap()[0]
}

/// As the consumer of `wallet.low_balance` would.
async fn tell_low(shop: &Shop) {
    let event = WalletLowBalance {
        buyer_id: shop.buyer.to_string(),
        seller_id: shop.seller.to_string(),
        available: proto_usd("0.00"),
        threshold: proto_usd("50.00"),
    };
    WalletEvents::new(shop.payments.clone()).handle(&[message(&event), message(&event)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_holds_at_once_below_the_threshold_make_one_recharge() {
    let shop = Shop::open("60.00").await;
    shop.recharge("50.00", "100.00", false).await;
    let replicas = [shop.world.replica(), shop.world.replica()];
    let holds = (0..50).map(|n| {
        let (billing, asked) = (replicas[n % 2].clone(), request(shop.seller, shop.buyer, "10.00"));
        async move { billing.place_holds(shop.seller, &[asked]).await.unwrap()[0] }
    });
    let held = join_all(holds).await.into_iter().filter(|outcome| *outcome == HoldOutcome::Held).count();
    assert_eq!(held, 6);
    tell_low(&shop).await;
    shop.provider.close();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let recharger = Recharger::new(shop.replica());
            tokio::spawn(async move { recharger.step().await.unwrap().charged })
        })
        .collect();
    // However often the wallet becomes due while the charge is under way.
    tell_low(&shop).await;
    shop.pass(TimeDelta::seconds(31));
    shop.provider.open();
    let charged: usize = join_all(workers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!((charged, shop.provider.charges().len()), (1, 1));
    assert!(shop.provider.charges()[0].off_session);
    assert_eq!(shop.amounts().await, ("160.00".to_owned(), "60.00".to_owned(), "100.00".to_owned()));
    // A worker that came late saw the charge open, and put the wallet off.
    shop.pass(TimeDelta::seconds(31));
    step(&shop).await;
    assert_eq!((shop.provider.charges().len(), due(&shop).await), (1, 0));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crossing_the_threshold_is_told_and_recharged_by_the_whole_service() {
    let shop = Shop::open("60.00").await;
    let mut low = shop.world.bus.subscribe_core(subjects::WALLET_LOW_BALANCE).await.unwrap();
    shop.recharge("50.00", "100.00", false).await;
    // The second one is on the fast path, whose event is all that tells of it.
    assert_eq!(hold(&shop, "5.00").await, HoldOutcome::Held);
    assert_eq!(hold(&shop, "10.00").await, HoldOutcome::Held);
    let event: WalletLowBalance = next(&mut low).await;
    WalletEvents::new(shop.payments.clone()).handle(&[message(&event)]).await.unwrap();
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "145.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_nobody_recharges_is_never_charged_whatever_it_lacks() {
    let shop = Shop::open("20.00").await;
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::InsufficientFunds);
    tell_low(&shop).await;
    assert_eq!(shop.payments.sweep_low_wallets().await.unwrap(), 0);
    assert_eq!((due(&shop).await, step(&shop).await, shop.provider.calls()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_dearer_than_what_is_there_makes_a_recharge_also_above_the_threshold() {
    let shop = Shop::open("60.00").await;
    shop.recharge("50.00", "40.00", false).await;
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "100.00"));
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::Held);
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_one_recharge_does_not_reach_is_covered_only_where_that_is_wanted() {
    let shop = Shop::open("60.00").await;
    shop.recharge("50.00", "40.00", false).await;
    assert_eq!(hold(&shop, "300.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((due(&shop).await, step(&shop).await), (0, 0));
    shop.recharge("50.00", "40.00", true).await;
    assert_eq!(hold(&shop, "300.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "300.00"));
    assert_eq!(hold(&shop, "300.00").await, HoldOutcome::Held);
    // One that costs more than may be charged at once is not paid for in parts; what is low is recharged as ever.
    assert_eq!(hold(&shop, "5000.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "40.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_spending_limit_would_refuse_anyway_is_not_recharged_for() {
    let shop = Shop::open("60.00").await;
    shop.recharge("50.00", "100.00", false).await;
    let mut limited = buyer_changed(shop.seller, shop.buyer, 2);
    limited.weekly_spending_limit = proto_usd("70.00");
    apply(&shop.billing, &[message(&limited)]).await.unwrap();
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((due(&shop).await, step(&shop).await, shop.provider.calls()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_holds_change_what_is_due_only_when_they_say_something_new() {
    let shop = Shop::open("0.00").await;
    shop.recharge("50.00", "100.00", true).await;
    let version = async || {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT xmin::text, wanted::text FROM billing.recharge_due")
            .fetch_all(shop.world.pool())
            .await
            .unwrap();
        rows
    };
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::InsufficientFunds);
    let first = version().await;
    for price in ["75.00", "10.00", "74.99"] {
        assert_eq!(hold(&shop, price).await, HoldOutcome::InsufficientFunds);
    }
    assert_eq!(version().await, first);
    hold(&shop, "80.00").await;
    assert_eq!(version().await[0].1, "80.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_is_left_alone_for_one_six_and_twenty_four_hours_and_then_for_good() {
    let shop = Shop::open("20.00").await;
    shop.provider.card("pm_1", Card::Declines("insufficient_funds"));
    let mut declined = shop.world.bus.subscribe_core(subjects::PAYMENT_DECLINED).await.unwrap();
    let mut off = shop.world.bus.subscribe_core(subjects::PAYMENT_RECHARGE_TURNED_OFF).await.unwrap();
    shop.recharge("50.00", "100.00", true).await;
    for (nth, hours) in [(1, 1), (2, 6), (3, 24)] {
        assert_eq!(step(&shop).await, 1);
        assert_eq!(shop.provider.calls(), nth);
        let event: PaymentChanged = next(&mut declined).await;
        assert!(event.recharge && event.next_attempt_at_ms > 0, "{event:?}");
        // Nothing makes it try before its time: holds, messages, the sweep, another look, turning it off and on.
        for _ in 0..3 {
            hold(&shop, "75.00").await;
            tell_low(&shop).await;
            shop.payments.sweep_low_wallets().await.unwrap();
            for enabled in [false, true] {
                let change = RechargeChange { enabled: Some(enabled), ..RechargeChange::default() };
                shop.payments.configure_recharge(None, shop.seller, shop.buyer, change).await.unwrap();
            }
            step(&shop).await;
            assert_eq!(shop.provider.calls(), nth);
        }
        shop.pass(TimeDelta::hours(hours) - TimeDelta::seconds(1));
        tell_low(&shop).await;
        step(&shop).await;
        assert_eq!(shop.provider.calls(), nth, "before its time");
        shop.pass(TimeDelta::seconds(2));
    }
    assert_eq!(step(&shop).await, 1);
    let event: RechargeTurnedOff = next(&mut off).await;
    assert!(event.because.starts_with("The card was declined 4 times in a row."), "{event:?}");
    shop.pass(TimeDelta::days(30));
    tell_low(&shop).await;
    assert_eq!((step(&shop).await, shop.provider.calls()), (0, 4));
    // A person turns it on again, and it begins anew.
    shop.provider.card("pm_1", Card::Pays);
    shop.recharge("50.00", "100.00", true).await;
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "120.00"));
    let (recharge, _) = shop.payments.recharge_settings(shop.seller, shop.buyer).await.unwrap();
    assert_eq!((recharge.declines, recharge.not_before, recharge.turned_off_because.as_str()), (0, None, ""));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_card_need_not_wait_and_one_that_wants_its_owner_says_what_to_do() {
    let shop = Shop::open("20.00").await;
    shop.provider.card("pm_1", Card::WantsItsOwner);
    let mut declined = shop.world.bus.subscribe_core(subjects::PAYMENT_DECLINED).await.unwrap();
    shop.recharge("50.00", "100.00", false).await;
    assert_eq!(step(&shop).await, 1);
    let event: PaymentChanged = next(&mut declined).await;
    assert_eq!(event.decline_code, "authentication_required");
    assert!(event.decline_message.contains("Top up once by hand"), "{event:?}");
    assert_eq!(shop.world.count("SELECT count(*) FROM billing.payments WHERE state = 'declined'").await, 1);
    sqlx::query("UPDATE billing.cards SET is_primary = false").execute(shop.world.pool()).await.unwrap();
    shop.store_card(shop.buyer, "pm_2", true).await;
    tell_low(&shop).await;
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "120.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_pays_again_need_not_wait_for_the_lead_that_does() {
    let shop = Shop::open("20.00").await;
    shop.provider.card("pm_1", Card::Declines("insufficient_funds"));
    shop.recharge("0.00", "40.00", true).await;
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((step(&shop).await, shop.provider.charges().iter().filter(|it| it.off_session).count()), (1, 1));
    shop.provider.card("pm_1", Card::Pays);
    // Its owner uses it by hand, for less than the lead costs.
    shop.top_up("10.00").await;
    assert_eq!(hold(&shop, "75.00").await, HoldOutcome::InsufficientFunds);
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "75.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_a_day_on_the_tenants_calendar_and_no_more() {
    let shop = Shop::open("0.00").await;
    let change = RechargeChange {
        enabled: Some(true),
        threshold: Some(Price::new(usd("100.00")).unwrap()),
        amount: Some(usd("10.00")),
        most_a_day: Some(2),
        ..RechargeChange::default()
    };
    shop.payments.configure_recharge(None, shop.seller, shop.buyer, change).await.unwrap();
    // Still low after each, so each makes the next one due.
    assert_eq!((step(&shop).await, step(&shop).await, step(&shop).await), (1, 1, 0));
    tell_low(&shop).await;
    // Noon in UTC is 07:00 in New York; its day ends at 05:00 in UTC.
    shop.pass(TimeDelta::hours(16) + TimeDelta::minutes(59));
    tell_low(&shop).await;
    assert_eq!(step(&shop).await, 0);
    shop.pass(TimeDelta::minutes(1));
    assert_eq!((step(&shop).await, shop.available().await.as_str()), (1, "30.00"));
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recharge_whose_answer_is_lost_is_credited_once_and_no_second_one_begins_meanwhile() {
    let shop = Shop::open("20.00").await;
    shop.recharge("50.00", "100.00", true).await;
    shop.provider.faults([Fault::LostAnswer]);
    assert_eq!(step(&shop).await, 1);
    for _ in 0..3 {
        hold(&shop, "75.00").await;
        tell_low(&shop).await;
        shop.pass(TimeDelta::seconds(1));
        assert_eq!(step(&shop).await, 0);
    }
    shop.pass(TimeDelta::seconds(10));
    let intent = shop.provider.show(shop.provider.charges()[0].payment);
    let (told, asked) = tokio::join!(shop.payments.charge(&intent), shop.payments.ask_about_open(10));
    told.unwrap();
    asked.unwrap();
    assert_eq!((shop.provider.charges().len(), shop.available().await.as_str()), (1, "120.00"));
    shop.pass(TimeDelta::minutes(2));
    assert_eq!(step(&shop).await, 0);
    shop.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_cannot_be_configured_and_changes_are_written_down() {
    let shop = Shop::open("20.00").await;
    let configure =
        async |change: RechargeChange| shop.payments.configure_recharge(None, shop.seller, shop.buyer, change).await;
    let on = RechargeChange { enabled: Some(true), ..RechargeChange::default() };
    assert!(refused(configure(on).await).starts_with("amount: must be set"));
    let amount = RechargeChange { amount: Some(usd("50.00")), ..on };
    assert!(refused(configure(amount).await).starts_with("threshold: must be more than zero"));
    for change in [
        RechargeChange { amount: Some(usd("9.99")), ..RechargeChange::default() },
        RechargeChange { amount: Some(usd("1000.01")), ..RechargeChange::default() },
        RechargeChange { most_a_day: Some(0), ..RechargeChange::default() },
        RechargeChange { most_a_day: Some(21), ..RechargeChange::default() },
    ] {
        refused(configure(change).await);
    }
    let cardless = shop.world.buyer(&shop.billing, shop.seller, "0.00").await;
    assert_eq!(
        refused(shop.payments.configure_recharge(None, shop.seller, cardless, amount).await),
        "the buyer has no card"
    );
    let (stranger, _) = shop.world.tenant(&shop.billing, "0.00").await;
    assert_eq!(refused(shop.payments.configure_recharge(None, stranger, shop.buyer, on).await), "no such wallet");
    assert_eq!(refused(shop.payments.recharge_settings(stranger, shop.buyer).await), "no such wallet");
    assert_eq!(shop.world.count("SELECT count(*) FROM billing.recharges").await, 0);
    shop.recharge("50.00", "100.00", true).await;
    shop.recharge("50.00", "100.00", true).await;
    assert_eq!(
        shop.world.count("SELECT count(*) FROM billing.audit_entries WHERE action = 'recharge.configured'").await,
        1
    );
}
