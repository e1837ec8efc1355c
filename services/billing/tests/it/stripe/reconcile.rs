//! Our payments beside Stripe's books.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use http::Method;
use leadflow_billing::{
    app::{
        cards::CardName,
        payments::{NewRefund, NewTopUp},
        reconcile::{Comparison, DifferenceKind},
    },
    outbound::provider::PaymentProvider as _,
};
use leadflow_billing_domain::PaymentState;
use leadflow_kernel::{BuyerId, Clock as _, SellerId};
use serde_json::json;

use super::{Sandbox, Shop, charge, dollars, text};
use crate::support::World;

struct Scene {
    world: World,
    sandbox: Sandbox,
    shop: Shop,
    seller: SellerId,
    buyer: BuyerId,
}

impl Scene {
    async fn start() -> Self {
        let world = World::new().await;
        let sandbox = Sandbox::start(Arc::new(world.clock.clone())).await;
        let shop = Shop::open(&world, &sandbox);
        let (seller, buyer) = world.tenant(&shop.billing, "0").await;
        shop.store(seller, buyer, "pm_card_visa").await;
        Self { world, sandbox, shop, seller, buyer }
    }

    async fn top_up(&self, request: &str, amount: &str) -> PaymentState {
        let new = NewTopUp {
            seller: self.seller,
            buyer: self.buyer,
            request: request.to_owned(),
            amount: dollars(amount),
            card: String::new(),
        };
        self.shop.payments.top_up(new).await.unwrap().payment.state
    }

    async fn refund(&self, request: &str, amount: &str) {
        let new = NewRefund {
            seller: self.seller,
            buyer: self.buyer,
            request: request.to_owned(),
            amount: dollars(amount),
            reason: "asked for".to_owned(),
        };
        self.shop.payments.refund_balance(None, new).await.unwrap();
    }

    fn around(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let now = self.world.clock.now();
        (now - TimeDelta::hours(1), now + TimeDelta::hours(1))
    }

    async fn compare(&self) -> Comparison {
        let (from, to) = self.around();
        self.shop.reconciler.compare(from, to).await.unwrap()
    }

    async fn balance(&self) -> String {
        format!("{:.2}", self.shop.billing.wallet(self.seller, self.buyer).await.unwrap().balance)
    }

    async fn fail_newest_refund(&self) {
        let refund = text(&self.sandbox.look("refunds?limit=1").await["data"][0]["id"]).to_owned();
        self.sandbox.control(Method::POST, &format!("/refunds/{refund}/fail"), json!({})).await;
    }

    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.world.pool()).await.unwrap();
    }

    async fn newest_charge(&self) -> String {
        text(&self.sandbox.look("charges?limit=1").await["data"][0]["id"]).to_owned()
    }
}

fn kinds(found: &Comparison) -> Vec<(DifferenceKind, bool)> {
    found.differences.iter().map(|difference| (difference.kind, difference.settled)).collect()
}

#[tokio::test]
async fn books_that_agree_have_no_difference() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    scene.top_up("r-2", "25.00").await;
    scene.refund("b-1", "30.00").await;
    let found = scene.compare().await;
    assert_eq!((kinds(&found), found.count), (vec![], 0));
    // Two payments and what went back of two of them; two charges and two refunds.
    assert_eq!((found.ours, found.theirs), (4, 4));
    let spoil = format!("/cards/{}", card(&scene).await);
    scene.sandbox.control(Method::PUT, &spoil, json!({"decline": "lost_card"})).await;
    assert_eq!(scene.top_up("r-3", "25.00").await, PaymentState::Declined);
    assert_eq!(kinds(&scene.compare().await), []);
}

async fn card(scene: &Scene) -> String {
    scene.shop.cards.list(scene.seller, scene.buyer).await.unwrap()[0].payment_method.clone()
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_credited_by_comparing() {
    let scene = Scene::start().await;
    scene.sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "payment_intents", "method": "POST"}])).await;
    assert_eq!(scene.top_up("r-1", "50.00").await, PaymentState::Pending);
    assert_eq!(scene.balance().await, "0.00");
    let found = scene.compare().await;
    assert_eq!((kinds(&found), found.settled), (vec![(DifferenceKind::UncreditedCharge, true)], 1));
    assert_eq!(found.differences[0].theirs, Some(dollars("50.00")));
    assert_eq!(scene.balance().await, "50.00");
    assert_eq!(kinds(&scene.compare().await), []);
    scene.world.check_books().await;
}

#[tokio::test]
async fn a_charge_that_its_owner_confirmed_and_nobody_heard_of_is_credited() {
    let scene = Scene::start().await;
    scene.shop.store(scene.seller, scene.buyer, "pm_card_authenticationRequired").await;
    let asked = scene.shop.cards.list(scene.seller, scene.buyer).await.unwrap();
    let new = NewTopUp {
        seller: scene.seller,
        buyer: scene.buyer,
        request: "r-1".to_owned(),
        amount: dollars("40.00"),
        card: asked.iter().find(|card| !card.is_primary).unwrap().id.to_string(),
    };
    let view = scene.shop.payments.top_up(new).await.unwrap();
    assert_eq!(view.payment.state, PaymentState::RequiresAction);
    assert_eq!(kinds(&scene.compare().await), []);
    let secret = text(&scene.sandbox.look("payment_intents?limit=1").await["data"][0]["client_secret"]).to_owned();
    scene.sandbox.control(Method::POST, "/authenticate", json!({"clientSecret": secret, "confirms": true})).await;
    let both = Shop::open(&scene.world, &scene.sandbox);
    let (from, to) = scene.around();
    let found = join_all([&scene.shop, &both].map(|shop| shop.reconciler.compare(from, to))).await;
    assert_eq!(found.into_iter().map(|found| found.unwrap().settled).sum::<u32>(), 1);
    assert_eq!(scene.balance().await, "40.00");
    assert_eq!(kinds(&scene.compare().await), []);
}

#[tokio::test]
async fn a_refund_made_at_the_dashboard_is_shown_and_booked() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    let id = scene.newest_charge().await;
    scene.sandbox.control(Method::POST, &format!("/charges/{id}/refund"), json!({"amount": 1500})).await;
    let found = scene.compare().await;
    assert_eq!(kinds(&found), [(DifferenceKind::UnknownRefund, true)]);
    assert_eq!((found.differences[0].ours, found.differences[0].theirs), (Some(dollars("0")), Some(dollars("15.00"))));
    assert_eq!(scene.balance().await, "35.00");
    assert_eq!(kinds(&scene.compare().await), []);
    scene.world.check_books().await;
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_no_difference_for_long() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    scene.sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "refunds", "next": 100}])).await;
    scene.refund("b-1", "20.00").await;
    scene.sandbox.misbehave(json!([])).await;
    // It went back, and we had ordered it: the sums agree.
    assert_eq!(kinds(&scene.compare().await), []);
    scene.sandbox.misbehave(json!([{"fault": "lostRequest", "path": "refunds", "next": 100}])).await;
    scene.refund("b-2", "5.00").await;
    scene.sandbox.misbehave(json!([])).await;
    // On its way.
    assert_eq!(kinds(&scene.compare().await), []);
}

#[tokio::test]
async fn charges_that_are_nobodys_and_amounts_that_differ_are_shown() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    scene.top_up("r-2", "60.00").await;
    let (customer, foreign) = scene.sandbox.customer_with(&scene.shop.stripe, "pm_card_visa").await;
    scene.shop.stripe.charge(&charge(&customer, &foreign)).await.unwrap();
    // What no program of ours does: one amount is made another, and one charge is made up.
    sqlx::query("UPDATE billing.payments SET received = 49.00 WHERE amount = 50.00")
        .execute(scene.world.pool())
        .await
        .unwrap();
    sqlx::query("UPDATE billing.payments SET intent_id = 'pi_madeup' WHERE amount = 60.00")
        .execute(scene.world.pool())
        .await
        .unwrap();
    let found = scene.compare().await;
    let mut shown = kinds(&found);
    shown.sort_by_key(|(kind, _)| kind.name());
    let expected = [
        DifferenceKind::AmountDiffers,
        DifferenceKind::MissingCharge,
        DifferenceKind::UnknownCharge,
        DifferenceKind::UnknownCharge,
    ];
    assert_eq!(shown, expected.map(|kind| (kind, false)));
    let differs = found.differences.iter().find(|it| it.kind == DifferenceKind::AmountDiffers).unwrap();
    assert_eq!((differs.ours, differs.theirs), (Some(dollars("49.00")), Some(dollars("50.00"))));
    assert_eq!((found.count, found.settled), (4, 0));
}

#[tokio::test]
async fn money_that_we_believe_went_back_and_did_not_is_in_the_wallet_again() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    scene.refund("b-1", "10.00").await;
    scene.fail_newest_refund().await;
    let found = scene.compare().await;
    assert_eq!(kinds(&found), [(DifferenceKind::MissingRefund, true)]);
    assert_eq!((found.differences[0].ours, found.differences[0].theirs), (Some(dollars("10.00")), Some(dollars("0"))));
    assert_eq!(scene.balance().await, "50.00");
    assert_eq!(kinds(&scene.compare().await), []);
    scene.world.check_books().await;
}

#[tokio::test]
async fn a_refund_that_failed_is_found_also_when_another_of_the_same_amount_was_made() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    scene.refund("b-1", "10.00").await;
    scene.fail_newest_refund().await;
    let id = scene.newest_charge().await;
    scene.sandbox.control(Method::POST, &format!("/charges/{id}/refund"), json!({"amount": 1000})).await;
    assert_eq!(kinds(&scene.compare().await), [(DifferenceKind::RefundDiffers, true)]);
    assert_eq!(scene.balance().await, "40.00");
    let failed = "SELECT count(*) FROM billing.refunds WHERE request_id = 'b-1' AND state = 'failed'";
    assert_eq!(scene.world.count(failed).await, 1);
    assert_eq!(kinds(&scene.compare().await), []);
    scene.world.check_books().await;
}

#[tokio::test]
async fn a_refund_that_is_pending_for_more_than_a_day_is_not_ordered_again() {
    let scene = Scene::start().await;
    let card = scene.shop.store(scene.seller, scene.buyer, "pm_card_pendingRefund").await;
    scene.shop.cards.set_primary(None, scene.seller, scene.buyer, &CardName::Id(card.id)).await.unwrap();
    scene.top_up("r-1", "50.00").await;
    scene.refund("b-1", "10.00").await;
    let states = async || {
        let ours = "SELECT count(*) FROM billing.refunds WHERE state = 'pending'";
        (scene.world.count(ours).await, scene.sandbox.record().await["refunds"].as_array().unwrap().len())
    };
    assert_eq!(states().await, (1, 1));
    scene.world.clock.advance(TimeDelta::hours(25));
    assert_eq!(scene.shop.payments.ask_about_refunds(10).await.unwrap(), 1);
    assert_eq!(states().await, (0, 1));
    assert_eq!(scene.balance().await, "40.00");
    scene.world.check_books().await;
}

#[tokio::test]
async fn disputes_that_nobody_heard_of_or_that_were_decided_otherwise_are_shown_and_booked() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    let charge = scene.newest_charge().await;
    let dispute =
        scene.sandbox.control(Method::POST, &format!("/charges/{charge}/dispute"), json!({"amount": 2000})).await;
    let dispute = text(&dispute["id"]).to_owned();
    let found = scene.compare().await;
    assert_eq!(kinds(&found), [(DifferenceKind::UnknownDispute, true)]);
    let shown = &found.differences[0];
    assert_eq!((shown.provider_id.as_str(), shown.ours, shown.theirs), (&*dispute, None, Some(dollars("20.00"))));
    assert_eq!(scene.balance().await, "30.00");
    // A payment and a dispute; a charge and a dispute.
    let found = scene.compare().await;
    assert_eq!((kinds(&found), found.ours, found.theirs), (vec![], 2, 2));

    // It is won, and nobody heard of it.
    scene.sandbox.control(Method::POST, &format!("/disputes/{dispute}/close"), json!({"won": true})).await;
    let found = scene.compare().await;
    assert_eq!(kinds(&found), [(DifferenceKind::DisputeDiffers, true)]);
    assert_eq!((found.differences[0].ours, found.differences[0].theirs), (Some(dollars("20.00")), Some(dollars("0"))));
    assert_eq!(scene.balance().await, "50.00");
    assert_eq!(kinds(&scene.compare().await), []);
    scene.world.check_books().await;

    // What no program of ours does: another amount, and a dispute that is made up.
    scene.sql("UPDATE billing.disputes SET amount = 19.00").await;
    let found = scene.compare().await;
    assert_eq!(kinds(&found), [(DifferenceKind::DisputeDiffers, false)]);
    scene.sql("UPDATE billing.disputes SET amount = 20.00, dispute_id = 'du_madeup'").await;
    let mut shown = kinds(&scene.compare().await);
    shown.sort_by_key(|(kind, _)| kind.name());
    assert_eq!(shown, [(DifferenceKind::MissingDispute, false), (DifferenceKind::UnknownDispute, true)]);
}

#[tokio::test]
async fn a_lost_dispute_and_one_of_a_charge_that_is_nobodys() {
    let scene = Scene::start().await;
    scene.top_up("r-1", "50.00").await;
    let charge_id = scene.newest_charge().await;
    let dispute = scene.sandbox.control(Method::POST, &format!("/charges/{charge_id}/dispute"), json!({})).await;
    let close = format!("/disputes/{}/close", text(&dispute["id"]));
    scene.sandbox.control(Method::POST, &close, json!({"won": false})).await;
    assert_eq!(kinds(&scene.compare().await), [(DifferenceKind::UnknownDispute, true)]);
    assert_eq!(scene.balance().await, "0.00");
    let (customer, foreign) = scene.sandbox.customer_with(&scene.shop.stripe, "pm_card_createDispute").await;
    scene.shop.stripe.charge(&charge(&customer, &foreign)).await.unwrap();
    let shown = kinds(&scene.compare().await);
    assert_eq!(shown, [(DifferenceKind::UnknownCharge, false), (DifferenceKind::UnknownDispute, false)]);
    scene.world.check_books().await;
}

#[tokio::test]
async fn the_last_days_are_compared_once_a_day() {
    let scene = Scene::start().await;
    let other = Shop::open(&scene.world, &scene.sandbox);
    scene.sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "payment_intents", "method": "POST"}])).await;
    scene.top_up("r-1", "50.00").await;
    scene.world.clock.advance(TimeDelta::days(1));
    // The first attempt dies; another takes over when it has had its time.
    scene
        .sandbox
        .misbehave(json!([{"fault": "status", "status": 500, "next": 2, "path": "balance_transactions"}]))
        .await;
    assert!(scene.shop.reconciler.compare_last_days(3).await.is_err());
    assert_eq!(other.reconciler.compare_last_days(3).await.unwrap(), None);
    scene.world.clock.advance(TimeDelta::hours(3));
    let both = join_all([&scene.shop, &other].map(|shop| shop.reconciler.compare_last_days(3))).await;
    let done: Vec<_> = both.into_iter().filter_map(|found| found.unwrap()).collect();
    assert_eq!((done.len(), done[0].settled), (1, 1));
    assert_eq!(scene.balance().await, "50.00");
    assert_eq!(scene.shop.reconciler.compare_last_days(3).await.unwrap(), None);
    scene.world.clock.advance(TimeDelta::days(1));
    let next = scene.shop.reconciler.compare_last_days(3).await.unwrap().unwrap();
    assert_eq!((next.count, next.ours, next.theirs), (0, 1, 1));
    assert_eq!(
        scene.world.count("SELECT count(*) FROM billing.reconciliations WHERE finished_at IS NOT NULL").await,
        2
    );
}
