//! Customers and cards: one each, nobody else's, one primary.

use std::{collections::HashSet, sync::Arc};

use chrono::TimeDelta;
use futures::future::join_all;
use leadflow_billing::{
    app::{
        AppError,
        cards::{CardName, MOST_CARDS, NewCard},
        payments::{NewTopUp, PaymentError, RechargeChange},
    },
    outbound::{provider::ProviderError, stripe::Stripe},
    workers::recharge::Recharger,
};
use leadflow_billing_domain::Price;
use leadflow_contracts::{events::RechargeTurnedOff, subjects};
use leadflow_kernel::{BuyerId, SellerId};
use serde_json::{Value, json};

use super::{Sandbox, Shop, dollars, new_card, person, text};
use crate::support::{World, next};

async fn start() -> (World, Sandbox, Shop, SellerId, BuyerId) {
    let world = World::new().await;
    let sandbox = Sandbox::start(Arc::new(world.clock.clone())).await;
    let shop = Shop::open(&world, &sandbox);
    let (seller, buyer) = world.tenant(&shop.billing, "0").await;
    (world, sandbox, shop, seller, buyer)
}

async fn customers(sandbox: &Sandbox) -> usize {
    sandbox.look("customers?limit=100").await["data"].as_array().unwrap().len()
}

fn refused(error: &AppError) -> &PaymentError {
    match error {
        AppError::Payment(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn ten_at_once_on_two_replicas_make_one_customer() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let other = Shop::open(&world, &sandbox);
    // While the first one is under way, its key is in use.
    sandbox.misbehave(json!([{"fault": "slow", "delayMs": 400, "path": "customers", "method": "POST"}])).await;
    let asked = (0..10).map(|nth| {
        let shop = if nth % 2 == 0 { shop.clone() } else { other.clone() };
        let mut person = person(seller, buyer);
        // Each says it in other words.
        person.email = format!("bea{nth}@buyer.example");
        async move { shop.cards.begin_setup(&person).await.unwrap() }
    });
    let setups = join_all(asked).await;
    assert_eq!(setups.iter().map(|setup| &setup.customer).collect::<HashSet<_>>().len(), 1);
    assert_eq!(setups.iter().map(|setup| &setup.client_secret).collect::<HashSet<_>>().len(), 10);
    assert_eq!(customers(&sandbox).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM billing.customers WHERE provider_id IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_customer_whose_answer_was_lost_is_the_same_one() {
    let (_world, sandbox, shop, seller, buyer) = start().await;
    sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "customers"}])).await;
    let error = shop.cards.begin_setup(&person(seller, buyer)).await.err().unwrap();
    assert!(matches!(error, AppError::Provider(_)), "{error}");
    let mut again = person(seller, buyer);
    again.email = "new@buyer.example".to_owned();
    shop.cards.begin_setup(&again).await.unwrap();
    assert_eq!(customers(&sandbox).await, 1);
    let error = shop.cards.begin_setup(&person(SellerId::new(), buyer)).await.err().unwrap();
    assert!(matches!(error, AppError::NoSuchWallet), "{error}");
}

#[tokio::test]
async fn the_first_card_is_primary_and_another_can_be() {
    let (world, _sandbox, shop, seller, buyer) = start().await;
    let visa = shop.store(seller, buyer, "pm_card_visa").await;
    assert!(visa.is_primary && visa.last4 == "4242" && visa.brand == "visa");
    assert_eq!(shop.store(seller, buyer, &visa.payment_method).await, visa);
    world.clock.advance(TimeDelta::seconds(1));
    let amex = shop.store(seller, buyer, "pm_card_amex").await;
    world.clock.advance(TimeDelta::seconds(1));
    let master = shop
        .cards
        .attach(None, &NewCard { set_as_primary: true, ..new_card(seller, buyer, "pm_card_mastercard") })
        .await
        .unwrap();
    let ids =
        |cards: Vec<leadflow_billing::app::cards::Card>| cards.into_iter().map(|card| card.id).collect::<Vec<_>>();
    assert_eq!(ids(shop.cards.list(seller, buyer).await.unwrap()), [master.id, amex.id, visa.id]);
    shop.cards.set_primary(None, seller, buyer, &CardName::PaymentMethod(visa.payment_method.clone())).await.unwrap();
    shop.cards.set_primary(None, seller, buyer, &CardName::Id(visa.id)).await.unwrap();
    assert_eq!(ids(shop.cards.list(seller, buyer).await.unwrap()), [visa.id, master.id, amex.id]);
    assert_eq!(world.count("SELECT count(*) FROM billing.audit_entries WHERE action = 'card.attached'").await, 3);
    assert_eq!(world.count("SELECT count(*) FROM billing.audit_entries WHERE action = 'card.set_primary'").await, 1);
}

#[tokio::test]
async fn the_same_card_at_once_is_one_and_one_is_primary() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let other = Shop::open(&world, &sandbox);
    let visa = shop.store(seller, buyer, "pm_card_visa").await;
    let amex = shop.store(seller, buyer, "pm_card_amex").await;
    let both = [visa.payment_method.clone(), amex.payment_method.clone()];
    join_all((0..10).map(|nth| {
        let shop = if nth % 2 == 0 { shop.clone() } else { other.clone() };
        let new = NewCard { set_as_primary: true, ..new_card(seller, buyer, &both[nth % 2]) };
        async move { shop.cards.attach(None, &new).await.unwrap() }
    }))
    .await;
    let cards = shop.cards.list(seller, buyer).await.unwrap();
    assert_eq!((cards.len(), cards.iter().filter(|card| card.is_primary).count()), (2, 1));
}

#[tokio::test]
async fn somebody_elses_card_is_not_found() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let neighbour = world.buyer(&shop.billing, seller, "0").await;
    let (foreign, stranger) = world.tenant(&shop.billing, "0").await;
    let visa = shop.store(seller, buyer, "pm_card_visa").await;
    // One that was given to another customer behind our back.
    let hidden = {
        let theirs = shop.cards.begin_setup(&person(foreign, stranger)).await.unwrap();
        sandbox.confirm(&theirs.client_secret, "5555555555554444").await;
        let methods = sandbox.look(&format!("payment_methods?customer={}&limit=1", theirs.customer)).await;
        text(&methods["data"][0]["id"]).to_owned()
    };
    for (seller, buyer, card) in [
        (seller, neighbour, visa.payment_method.as_str()),
        (foreign, stranger, visa.payment_method.as_str()),
        (seller, buyer, hidden.as_str()),
        (seller, neighbour, hidden.as_str()),
        (seller, buyer, "pm_nobody"),
        (seller, buyer, "pm_1/../../customers"),
        (seller, buyer, "card_123"),
    ] {
        let error = shop.cards.attach(None, &new_card(seller, buyer, card)).await.unwrap_err();
        assert!(matches!(refused(&error), PaymentError::NoSuchCard), "{card}: {error}");
    }
    for name in [CardName::Id(visa.id), CardName::PaymentMethod(visa.payment_method.clone())] {
        for (seller, buyer) in [(seller, neighbour), (foreign, stranger), (foreign, buyer)] {
            let error = shop.cards.set_primary(None, seller, buyer, &name).await.unwrap_err();
            assert!(matches!(refused(&error), PaymentError::NoSuchCard), "{error}");
            let error = shop.cards.remove(None, seller, buyer, &name).await.unwrap_err();
            assert!(matches!(error, AppError::NoSuchWallet | AppError::Payment(PaymentError::NoSuchCard)), "{error}");
        }
    }
    assert!(matches!(shop.cards.list(foreign, buyer).await, Err(AppError::NoSuchWallet)));
    assert_eq!(shop.cards.list(seller, neighbour).await.unwrap(), []);
    assert_eq!(shop.cards.list(seller, buyer).await.unwrap(), [visa]);
}

#[tokio::test]
async fn a_card_that_declines_is_not_stored() {
    let (_world, _sandbox, shop, seller, buyer) = start().await;
    let error = shop.cards.attach(None, &new_card(seller, buyer, "pm_card_chargeDeclined")).await.unwrap_err();
    assert!(matches!(error, AppError::Provider(_)), "{error}");
    assert_eq!(shop.cards.list(seller, buyer).await.unwrap(), []);
}

#[tokio::test]
async fn a_buyer_has_so_many_cards_and_no_more() {
    let (_world, _sandbox, shop, seller, buyer) = start().await;
    for _ in 0..MOST_CARDS {
        shop.store(seller, buyer, "pm_card_visa").await;
    }
    let error = shop.cards.attach(None, &new_card(seller, buyer, "pm_card_visa")).await.unwrap_err();
    assert!(matches!(refused(&error), PaymentError::TooManyCards), "{error}");
    assert_eq!(shop.cards.list(seller, buyer).await.unwrap().len(), MOST_CARDS);
}

#[tokio::test]
async fn removing_the_primary_card_promotes_the_newest_and_the_last_ends_recharging() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let mut told = world.bus.subscribe_core(subjects::PAYMENT_RECHARGE_TURNED_OFF).await.unwrap();
    let visa = shop.store(seller, buyer, "pm_card_visa").await;
    world.clock.advance(TimeDelta::seconds(1));
    let amex = shop.store(seller, buyer, "pm_card_amex").await;
    world.clock.advance(TimeDelta::seconds(1));
    let master = shop.store(seller, buyer, "pm_card_mastercard").await;
    let on = RechargeChange {
        enabled: Some(true),
        threshold: Some(Price::new(dollars("20.00")).unwrap()),
        amount: Some(dollars("50.00")),
        ..RechargeChange::default()
    };
    shop.payments.configure_recharge(None, seller, buyer, on).await.unwrap();

    let removed = shop.cards.remove(None, seller, buyer, &CardName::Id(visa.id)).await.unwrap();
    assert_eq!((removed.primary, removed.recharge_turned_off), (Some(master.id), false));
    let removed = shop.cards.remove(None, seller, buyer, &CardName::Id(amex.id)).await.unwrap();
    assert_eq!((removed.primary, removed.recharge_turned_off), (Some(master.id), false));
    let error = shop.cards.remove(None, seller, buyer, &CardName::Id(amex.id)).await.unwrap_err();
    assert!(matches!(refused(&error), PaymentError::NoSuchCard));
    let removed = shop.cards.remove(None, seller, buyer, &CardName::Id(master.id)).await.unwrap();
    assert_eq!((removed.primary, removed.recharge_turned_off), (None, true));
    let event: RechargeTurnedOff = next(&mut told).await;
    assert_eq!((event.buyer_id, event.because), (buyer.to_string(), "The last card was removed.".to_owned()));
    assert!(!shop.payments.recharge_settings(seller, buyer).await.unwrap().0.enabled);
    for card in [&visa, &amex, &master] {
        assert_eq!(sandbox.look(&format!("payment_methods/{}", card.payment_method)).await["customer"], Value::Null);
    }
    assert_eq!(world.count("SELECT count(*) FROM billing.cards").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM billing.audit_entries WHERE action = 'card.removed'").await, 3);
}

#[tokio::test]
async fn another_primary_card_is_charged_at_once_although_the_one_before_was_declined() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let declines = shop.store(seller, buyer, "pm_card_chargeCustomerFail").await;
    let on = RechargeChange {
        enabled: Some(true),
        threshold: Some(Price::new(dollars("20.00")).unwrap()),
        amount: Some(dollars("10.00")),
        ..RechargeChange::default()
    };
    shop.payments.configure_recharge(None, seller, buyer, on).await.unwrap();
    let recharger = Recharger::new(shop.payments.clone());
    let paid = async || {
        recharger.step().await.unwrap();
        // The declined one is asked for an hour later, and nothing else wakes the wallet up before.
        shop.payments.sweep_low_wallets().await.unwrap();
        recharger.step().await.unwrap();
        sandbox.charges().await.iter().filter(|charge| charge["status"] == "succeeded").count()
    };
    assert_eq!(paid().await, 0);
    // The same card, named again, still waits.
    shop.cards.set_primary(None, seller, buyer, &CardName::Id(declines.id)).await.unwrap();
    shop.cards.attach(None, &new_card(seller, buyer, &declines.payment_method)).await.unwrap();
    assert_eq!(paid().await, 0);
    assert_eq!(world.count("SELECT count(*) FROM billing.payments").await, 1);
    // Another one: stored as the primary card, chosen, or left when the other one is removed.
    let good = shop.store(seller, buyer, "pm_card_visa").await;
    assert_eq!(paid().await, 0);
    shop.cards.set_primary(None, seller, buyer, &CardName::Id(good.id)).await.unwrap();
    assert_eq!(paid().await, 2);
}

#[tokio::test]
async fn the_card_that_is_left_when_a_declined_one_is_removed_is_charged_at_once() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let declines = shop.store(seller, buyer, "pm_card_chargeCustomerFail").await;
    shop.store(seller, buyer, "pm_card_visa").await;
    let on = RechargeChange {
        enabled: Some(true),
        threshold: Some(Price::new(dollars("20.00")).unwrap()),
        amount: Some(dollars("50.00")),
        ..RechargeChange::default()
    };
    shop.payments.configure_recharge(None, seller, buyer, on).await.unwrap();
    let recharger = Recharger::new(shop.payments.clone());
    recharger.step().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM billing.payments WHERE state = 'declined'").await, 1);
    shop.cards.remove(None, seller, buyer, &CardName::Id(declines.id)).await.unwrap();
    recharger.step().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM billing.payments WHERE state = 'succeeded'").await, 1);
    assert_eq!(sandbox.charges().await.iter().filter(|charge| charge["status"] == "succeeded").count(), 1);
}

#[tokio::test]
async fn a_key_that_stripe_does_not_accept_is_no_decline_of_anybodys_card() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    shop.store(seller, buyer, "pm_card_visa").await;
    let on = RechargeChange {
        enabled: Some(true),
        threshold: Some(Price::new(dollars("20.00")).unwrap()),
        amount: Some(dollars("50.00")),
        ..RechargeChange::default()
    };
    shop.payments.configure_recharge(None, seller, buyer, on).await.unwrap();
    let misconfigured = Shop::with(&world, Stripe::new("sk_live_of_somebody_else", &sandbox.settings()).unwrap());
    let order = NewTopUp { seller, buyer, request: "once".to_owned(), amount: dollars("50.00"), card: String::new() };
    let error = misconfigured.payments.top_up(order).await.unwrap_err();
    assert!(matches!(error, AppError::Provider(ProviderError::NotConfigured)), "{error}");
    Recharger::new(misconfigured.payments.clone()).step().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM billing.payments WHERE state = 'canceled'").await, 2);
    assert_eq!(shop.payments.recharge_settings(seller, buyer).await.unwrap().0.declines, 0);
    shop.payments.sweep_low_wallets().await.unwrap();
    Recharger::new(shop.payments.clone()).step().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM billing.payments WHERE state = 'succeeded'").await, 1);
}

#[tokio::test]
async fn a_removal_that_stripe_has_not_heard_of_is_told_later() {
    let (world, sandbox, shop, seller, buyer) = start().await;
    let visa = shop.store(seller, buyer, "pm_card_visa").await;
    sandbox.misbehave(json!([{"fault": "lostRequest", "path": "payment_methods", "method": "POST"}])).await;
    shop.cards.remove(None, seller, buyer, &CardName::Id(visa.id)).await.unwrap();
    assert_eq!(shop.cards.list(seller, buyer).await.unwrap(), []);
    // It is not to be had back while that is under way.
    let error = shop.cards.attach(None, &new_card(seller, buyer, &visa.payment_method)).await.unwrap_err();
    assert!(matches!(refused(&error), PaymentError::NoSuchCard));
    assert_eq!(shop.cards.detach_removed().await.unwrap(), 0);
    world.clock.advance(TimeDelta::minutes(2));
    assert_eq!(shop.cards.detach_removed().await.unwrap(), 1);
    assert_eq!(sandbox.look(&format!("payment_methods/{}", visa.payment_method)).await["customer"], Value::Null);
    assert_eq!(world.count("SELECT count(*) FROM billing.cards").await, 0);
}
