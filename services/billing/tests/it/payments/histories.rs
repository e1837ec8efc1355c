//! Many things at once on two replicas, with a bad line to the provider; in the end ours is what the provider has.

use std::sync::Mutex;

use chrono::TimeDelta;
use futures::future::join_all;
use leadflow_billing::{
    app::{
        AppError,
        payments::{NewRefund, NewTopUp, Payments, ProviderNews as _},
    },
    outbound::provider::IntentStatus,
    workers::{recharge::Recharger, settle::Settler},
};
use leadflow_billing_domain::HoldOutcome;
use leadflow_kernel::{BuyerId, EventId};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    Shop,
    provider::{Card, Fault},
};
use crate::support::*;

/// One thing that happens to a buyer.
async fn happen(
    shop: &Shop,
    payments: Payments,
    buyer: BuyerId,
    mut dice: StdRng,
    untold: &Mutex<Vec<String>>,
) -> Result<(), String> {
    let cents = |dice: &mut StdRng| format!("{}.{:02}", dice.random_range(10..120), dice.random_range(0..100));
    match dice.random_range(0..9) {
        0 | 1 => {
            let request = format!("{buyer} {}", dice.random_range(0..6));
            let order = NewTopUp { buyer, ..shop.order(&request, "40.00") };
            payments.top_up(order).await.map_err(text)?;
        }
        2 => drop(Recharger::new(payments).step().await.map_err(text)?),
        3 => drop(Settler::new(payments).step().await.map_err(text)?),
        4 => {
            // Some charge's news, perhaps old, perhaps for the third time.
            let charges = shop.provider.charges();
            if !charges.is_empty() {
                let charge = &charges[dice.random_range(0..charges.len())];
                let intent = shop.provider.show(charge.payment);
                // Refused while a refund of ours is not settled.
                let _ = payments.charge(&intent).await;
            }
        }
        5 => {
            let request = EventId::new().to_string();
            let amount = usd(&cents(&mut dice));
            let order = NewRefund { seller: shop.seller, buyer, request, amount, reason: String::new() };
            // Often there is not that much.
            let _ = payments.refund_balance(None, order).await;
        }
        6 => {
            let charges = shop.provider.charges();
            if let Some(charge) = charges.iter().rev().find(|charge| charge.refunded.amount() < charge.amount.amount())
                && shop.provider.show(charge.payment).status == IntentStatus::Succeeded
            {
                let rest = charge.amount.try_sub(charge.refunded).unwrap();
                let refunded = shop.provider.try_refund_elsewhere(&charge.intent, rest.percent(dec("20")).unwrap());
                if refunded && payments.charge_refunded(&charge.intent).await.is_err() {
                    // As a webhook, it is told again.
                    untold.lock().unwrap().push(charge.intent.clone());
                }
            }
        }
        _ => {
            let asked = request(shop.seller, buyer, &cents(&mut dice));
            let placed = payments.billing().place_holds(shop.seller, std::slice::from_ref(&asked)).await;
            if placed.map_err(text)? == [HoldOutcome::Held] && dice.random_bool(0.7) {
                let sold = capture(payments.billing(), &[message(&assigned(&[&asked]))]).await;
                sold.map_err(|error| format!("{error:?}"))?;
            }
        }
    }
    Ok(())
}

fn text(error: AppError) -> String {
    format!("{error:?}")
}

/// Every connection of billing to PostgreSQL is cut, whatever is on it.
async fn cut(shop: &Shop) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'billing-test'",
    )
    .execute(shop.world.pool())
    .await
    .unwrap();
}

/// `buyers` histories, each of several rounds of things that happen at once on two replicas.
async fn live_through(buyers: u64, stormy: bool) {
    let mut shop = Shop::open("0.00").await;
    let mut lives = Vec::new();
    for seed in 0..buyers {
        let mut dice = StdRng::seed_from_u64(seed);
        let buyer = shop.world.buyer(&shop.billing, shop.seller, "0.00").await;
        let card = format!("pm_{buyer}");
        shop.store_card(buyer, &card, true).await;
        shop.buyer = buyer;
        shop.recharge("30.00", "45.00", dice.random_bool(0.5)).await;
        shop.provider.card(
            &card,
            match dice.random_range(0..4) {
                0 => Card::Declines("insufficient_funds"),
                1 => Card::WantsItsOwner,
                _ => Card::Pays,
            },
        );
        lives.push((buyer, card, dice));
    }
    let replicas = [shop.replica(), shop.replica()];
    let untold = Mutex::default();
    let mut failed = 0;
    for (buyer, card, mut dice) in lives {
        for _ in 0..5 {
            let faults = [Fault::None, Fault::None, Fault::LostAnswer, Fault::LostRequest, Fault::Busy];
            shop.provider.faults((0..3).map(|_| faults[dice.random_range(0..faults.len())]).collect::<Vec<_>>());
            let at_once = (0..6).map(|nth| {
                let rolled = StdRng::seed_from_u64(dice.random());
                happen(&shop, replicas[nth % 2].clone(), buyer, rolled, &untold)
            });
            let (happened, ()) = tokio::join!(join_all(at_once), async {
                if stormy {
                    cut(&shop).await;
                }
            });
            failed += happened.iter().filter(|result| result.is_err()).count();
            assert!(stormy || failed == 0, "{happened:?}");
            shop.pass(TimeDelta::seconds(dice.random_range(0..90)));
            shop.provider.card(&card, Card::Pays);
        }
    }
    assert!(!stormy || failed > 0, "nothing was cut off");
    // Both lines are good again, and everything is asked about.
    shop.provider.no_faults();
    let replicas = [shop.replica(), shop.replica()];
    for _ in 0..12 {
        shop.pass(TimeDelta::minutes(11));
        let (one, two) = (Settler::new(replicas[0].clone()), Settler::new(replicas[1].clone()));
        let (one, two) = tokio::join!(one.step(), two.step());
        one.unwrap();
        two.unwrap();
    }
    for intent in untold.into_inner().unwrap() {
        replicas[0].charge_refunded(&intent).await.unwrap();
    }
    let open = "SELECT count(*) FROM billing.payments WHERE state IN ('pending', 'requires_action')";
    assert_eq!(shop.world.count(open).await, 0);
    assert_eq!(shop.world.count("SELECT count(*) FROM billing.refunds WHERE state = 'pending'").await, 0);
    shop.check_books().await;
    let charges = shop.provider.charges();
    let mut payments: Vec<_> = charges.iter().map(|charge| charge.payment).collect();
    payments.sort_unstable();
    payments.dedup();
    assert_eq!(payments.len(), charges.len(), "a payment was charged twice");
    assert!(charges.len() > usize::try_from(buyers).unwrap(), "hardly anything happened: {}", charges.len());
    assert_eq!(shop.clearing().await, shop.provider.taken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_ours_is_in_the_end_what_the_provider_has() {
    live_through(50, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn also_when_the_database_is_cut_off_at_any_point() {
    live_through(25, true).await;
}
