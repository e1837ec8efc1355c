//! Nobody finds out with somebody's account which of many card numbers are good.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::join_all;
use http::Method;
use leadflow_billing::app::{
    AppError,
    payments::{CardAttempts, NewTopUp, PaymentError, PaymentView},
};
use leadflow_billing_domain::PaymentState;
use leadflow_kernel::{BuyerId, SellerId};
use serde_json::json;

use super::{Sandbox, Shop, dollars, new_card, person};
use crate::support::World;

struct Scene {
    world: World,
    sandbox: Sandbox,
    /// Two replicas.
    shops: [Shop; 2],
    seller: SellerId,
    buyer: BuyerId,
}

impl Scene {
    async fn start(tried: u32, declined: u32) -> Self {
        let world = World::new().await;
        let sandbox = Sandbox::start(Arc::new(world.clock.clone())).await;
        let shops = [0, 1].map(|_| Shop::careful(&world, sandbox.stripe(), CardAttempts { tried, declined }));
        let (seller, buyer) = world.tenant(&shops[0].billing, "0").await;
        Self { world, sandbox, shops, seller, buyer }
    }

    /// Stores a card that declines from now on.
    async fn bad_card(&self, buyer: BuyerId) {
        let card = self.shops[0].store(self.seller, buyer, "pm_card_visa").await;
        let spoil = format!("/cards/{}", card.payment_method);
        self.sandbox.control(Method::PUT, &spoil, json!({"decline": "insufficient_funds"})).await;
    }

    async fn top_up(&self, replica: usize, buyer: BuyerId, request: &str) -> Result<PaymentView, AppError> {
        let new = NewTopUp {
            seller: self.seller,
            buyer,
            request: request.to_owned(),
            amount: dollars("20.00"),
            card: String::new(),
        };
        self.shops[replica].payments.top_up(new).await
    }

    async fn attach(&self, replica: usize, card: &str) -> Result<(), AppError> {
        self.shops[replica].cards.attach(None, &new_card(self.seller, self.buyer, card)).await.map(|_| ())
    }

    async fn begin_setup(&self, replica: usize) -> Result<(), AppError> {
        self.shops[replica].cards.begin_setup(&person(self.seller, self.buyer)).await.map(|_| ())
    }

    fn pass(&self, time: TimeDelta) {
        self.world.clock.advance(time);
    }
}

/// The seconds to wait.
#[track_caller]
fn throttled<T>(answer: Result<T, AppError>) -> u32 {
    match answer.err().expect("a refusal") {
        AppError::Payment(PaymentError::TooManyAttempts { seconds }) => seconds,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn declined_top_ups_end_for_an_hour_on_every_replica_and_with_them_storing_cards() {
    let scene = Scene::start(100, 2).await;
    let (_, other) =
        (scene.bad_card(scene.buyer).await, scene.world.buyer(&scene.shops[0].billing, scene.seller, "0").await);
    scene.bad_card(other).await;
    let state = |view: PaymentView| view.payment.state;
    assert_eq!(state(scene.top_up(0, scene.buyer, "a").await.unwrap()), PaymentState::Declined);
    scene.pass(TimeDelta::minutes(20));
    assert_eq!(state(scene.top_up(1, scene.buyer, "b").await.unwrap()), PaymentState::Declined);
    // As long as the older of the two counts.
    assert_eq!(throttled(scene.top_up(0, scene.buyer, "c").await), 40 * 60);
    assert_eq!(throttled(scene.begin_setup(1).await), 40 * 60);
    assert_eq!(throttled(scene.attach(1, "pm_card_mastercard").await), 40 * 60);
    // Asked again, what is known is answered; others are not concerned.
    assert_eq!(state(scene.top_up(1, scene.buyer, "a").await.unwrap()), PaymentState::Declined);
    assert_eq!(state(scene.top_up(1, other, "d").await.unwrap()), PaymentState::Declined);
    assert_eq!(scene.sandbox.charges().await.len(), 3);
    scene.pass(TimeDelta::minutes(40));
    assert_eq!(state(scene.top_up(0, scene.buyer, "c").await.unwrap()), PaymentState::Declined);
    assert_eq!(throttled(scene.top_up(0, scene.buyer, "e").await), 20 * 60);
}

#[tokio::test]
async fn top_ups_at_once_count_one_another() {
    let scene = Scene::start(100, 3).await;
    scene.bad_card(scene.buyer).await;
    let requests: Vec<String> = (0..12).map(|nth| format!("r-{nth}")).collect();
    let at_once = requests.iter().enumerate().map(|(nth, request)| scene.top_up(nth % 2, scene.buyer, request));
    let answers = join_all(at_once).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    answers.into_iter().filter(Result::is_err).for_each(|answer| assert!(throttled(answer) <= 3_600));
    assert_eq!(scene.sandbox.charges().await.len(), 3);
}

#[tokio::test]
async fn storing_cards_ends_for_an_hour_after_so_many_attempts_or_refused_cards() {
    let scene = Scene::start(4, 2).await;
    for _ in 0..2 {
        scene.begin_setup(0).await.unwrap();
    }
    scene.attach(1, "pm_card_visa").await.unwrap();
    // One that is stored is no attempt.
    let stored = scene.shops[0].cards.list(scene.seller, scene.buyer).await.unwrap().remove(0);
    for _ in 0..5 {
        scene.attach(0, &stored.payment_method).await.unwrap();
    }
    scene.begin_setup(1).await.unwrap();
    assert_eq!(throttled(scene.begin_setup(0).await), 3_600);
    assert_eq!(throttled(scene.attach(0, "pm_card_mastercard").await), 3_600);
    assert_eq!(throttled(scene.top_up(0, scene.buyer, "a").await), 3_600);
    scene.pass(TimeDelta::hours(1));

    for bad in ["pm_card_visa_chargeDeclined", "pm_nobody"] {
        let error = scene.attach(0, bad).await.unwrap_err();
        assert!(!matches!(error, AppError::Payment(PaymentError::TooManyAttempts { .. })), "{error:?}");
    }
    assert_eq!(throttled(scene.attach(1, "pm_card_mastercard").await), 3_600);
    scene.pass(TimeDelta::hours(1));
    scene.attach(1, "pm_card_mastercard").await.unwrap();
    // What does not count any more is forgotten.
    assert_eq!(scene.shops[0].cards.forget_attempts().await.unwrap(), 0);
    scene.pass(TimeDelta::hours(23));
    assert_eq!(scene.shops[0].cards.forget_attempts().await.unwrap(), 4);
    assert_eq!(scene.world.count("SELECT count(*) FROM billing.card_attempts").await, 3);
}
