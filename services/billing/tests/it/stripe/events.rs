//! Webhooks: believed only when signed, kept as they came, worked off once, in any order.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use http::Method;
use leadflow_billing::{
    app::{
        payments::NewTopUp,
        provider_events::{GivenUpEvents, ReceiveError, Worked},
    },
    outbound::stripe::WebhookRefusal,
};
use leadflow_billing_domain::PaymentState;
use leadflow_kernel::{BuyerId, Clock as _, SellerId};
use leadflow_sandbox::stripe::signature;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use super::{SECRET, Sandbox, Shop, charge, dollars, person, text};
use crate::support::{PATIENCE, World};

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
        Self { world, sandbox, shop, seller, buyer }
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.clock.now()
    }

    async fn receive(&self, event: &Value) -> bool {
        let body = event.to_string();
        let header = signature(body.as_bytes(), &[SECRET.to_owned()], self.now());
        self.shop.events.receive(body.as_bytes(), &header).await.unwrap().new
    }

    async fn work_off(&self) -> Worked {
        self.shop.events.work_off().await.unwrap()
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

    async fn balance(&self) -> String {
        let wallet = self.shop.billing.wallet(self.seller, self.buyer).await.unwrap();
        format!("{:.2}", wallet.balance)
    }

    async fn states(&self) -> Vec<(String, String, i32)> {
        sqlx::query_as("SELECT event_id, state, attempts FROM billing.provider_events ORDER BY event_id")
            .fetch_all(self.world.pool())
            .await
            .unwrap()
    }
}

fn event(id: &str, kind: &str, object: Value, at: DateTime<Utc>) -> Value {
    json!({"id": id, "object": "event", "type": kind, "created": at.timestamp(), "data": {"object": object}})
}

#[tokio::test]
async fn only_what_is_signed_now_with_a_secret_of_ours_is_kept() {
    let scene = Scene::start().await;
    let body = event("evt_1", "invoice.paid", json!({"id": "in_1"}), scene.now()).to_string();
    let signed = |secret: &str, at: DateTime<Utc>| signature(body.as_bytes(), &[secret.to_owned()], at);
    let now = scene.now();
    for (header, body, refusal) in [
        (signed("whsec_other", now), body.clone(), WebhookRefusal::BadSignature),
        (signed(SECRET, now), body.replace("evt_1", "evt_2"), WebhookRefusal::BadSignature),
        (signed(SECRET, now - TimeDelta::seconds(301)), body.clone(), WebhookRefusal::BadTime),
        (signed(SECRET, now + TimeDelta::seconds(301)), body.clone(), WebhookRefusal::BadTime),
        (String::new(), body.clone(), WebhookRefusal::BadSignature),
    ] {
        let error = scene.shop.events.receive(body.as_bytes(), &header).await.unwrap_err();
        assert!(matches!(error, ReceiveError::Refused(why) if why == refusal), "{error}");
    }
    assert_eq!(scene.states().await, []);
    // The secret before is good as long as it is configured; both sign while one replaces the other.
    assert!(scene.shop.events.receive(body.as_bytes(), &signed("whsec_old", now)).await.unwrap().new);
    let both = signature(body.as_bytes(), &["whsec_next".to_owned(), SECRET.to_owned()], now);
    assert!(!scene.shop.events.receive(body.as_bytes(), &both).await.unwrap().new);
    let kept: String =
        sqlx::query_scalar("SELECT body FROM billing.provider_events").fetch_one(scene.world.pool()).await.unwrap();
    assert_eq!(kept, body);

    let nonsense = "[]";
    let header = signature(nonsense.as_bytes(), &[SECRET.to_owned()], now);
    assert!(matches!(scene.shop.events.receive(nonsense.as_bytes(), &header).await, Err(ReceiveError::NoEvent)));
}

#[tokio::test]
async fn unknown_kinds_and_foreign_objects_are_kept_and_ignored() {
    let scene = Scene::start().await;
    // Another program's, on the same account.
    let (customer, card) = scene.sandbox.customer_with(&scene.shop.stripe, "pm_card_visa").await;
    use leadflow_billing::outbound::provider::PaymentProvider as _;
    scene.shop.stripe.charge(&charge(&customer, &card)).await.unwrap();
    let foreign = scene.sandbox.events().await;
    assert!(foreign.iter().any(|event| event["type"] == "payment_intent.succeeded"), "{foreign:?}");
    for event in &foreign {
        assert!(scene.receive(event).await);
    }
    let now = scene.now();
    for unknown in [
        event("evt_unknown", "invoice.paid", json!({"id": "in_1"}), now),
        event("evt_gone", "payment_intent.succeeded", json!({"id": "pi_nobody"}), now),
        event("evt_refund", "refund.updated", json!({"id": "re_nobody"}), now),
        event("evt_dispute", "charge.dispute.closed", json!({"id": "dp_nobody"}), now),
        event(
            "evt_setup",
            "setup_intent.succeeded",
            json!({"id": "seti_1", "customer": "cus_nobody", "payment_method": card}),
            now,
        ),
        event("evt_card", "payment_method.detached", json!({"id": "pm_nobody"}), now),
        event("evt_empty", "charge.refunded", json!({}), now),
    ] {
        scene.receive(&unknown).await;
    }
    while scene.work_off().await.any() {}
    let states = scene.states().await;
    assert!(states.len() >= 7 + foreign.len());
    assert!(states.iter().all(|(_, state, attempts)| state == "ignored" && *attempts == 1), "{states:?}");
    assert_eq!(scene.balance().await, "0.00");
}

#[tokio::test]
async fn events_in_any_order_and_twice_credit_once() {
    let scene = Scene::start().await;
    scene.shop.store(scene.seller, scene.buyer, "pm_card_authenticationRequired").await;
    assert_eq!(scene.top_up("r-1", "40.00").await, PaymentState::RequiresAction);
    let asked = scene.sandbox.look("payment_intents?limit=1").await;
    let secret = text(&asked["data"][0]["client_secret"]).to_owned();
    scene.sandbox.control(Method::POST, "/authenticate", json!({"clientSecret": secret, "confirms": true})).await;
    scene
        .sandbox
        .control(Method::POST, &format!("/charges/{}/refund", charge_id(&scene.sandbox).await), json!({"amount": 500}))
        .await;
    let mut events = scene.sandbox.events().await;
    assert!(events.iter().any(|event| event["type"] == "payment_intent.requires_action"));
    events.reverse();
    for event in events.iter().chain(&events) {
        scene.receive(event).await;
        // Some are worked off before the others come, and two replicas do it.
        scene.work_off().await;
    }
    while scene.work_off().await.any() {}
    assert_eq!(scene.balance().await, "35.00");
    assert_eq!(scene.world.count("SELECT count(*) FROM billing.postings WHERE kind = 'top_up'").await, 1);
    assert!(scene.states().await.iter().all(|(_, _, attempts)| *attempts == 1));
    scene.world.check_books().await;
}

async fn charge_id(sandbox: &Sandbox) -> String {
    let charges = sandbox.look("charges?limit=1").await;
    text(&charges["data"][0]["id"]).to_owned()
}

#[tokio::test]
async fn two_replicas_share_the_work() {
    let scene = Scene::start().await;
    let other = Shop::open(&scene.world, &scene.sandbox);
    for nth in 0..40 {
        scene.receive(&event(&format!("evt_{nth}"), "invoice.paid", json!({"id": "in_1"}), scene.now())).await;
    }
    let worked = join_all((0..10).map(|nth| {
        let shop = if nth % 2 == 0 { scene.shop.clone() } else { other.clone() };
        async move { shop.events.work_off().await.unwrap().ignored }
    }))
    .await;
    assert_eq!(worked.iter().sum::<u32>(), 40, "{worked:?}");
    assert!(scene.states().await.iter().all(|(_, _, attempts)| *attempts == 1));
}

#[tokio::test]
async fn what_a_dead_replica_had_taken_is_worked_off_by_another() {
    let scene = Scene::start().await;
    scene.shop.store(scene.seller, scene.buyer, "pm_card_visa").await;
    scene.sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "payment_intents", "method": "POST"}])).await;
    assert_eq!(scene.top_up("r-1", "25.00").await, PaymentState::Pending);
    let events = scene.sandbox.events().await;
    let paid = events.iter().find(|event| event["type"] == "payment_intent.succeeded").unwrap();
    scene.receive(paid).await;
    // One hangs in the middle, and is killed.
    scene.sandbox.misbehave(json!([{"fault": "hang", "path": "payment_intents", "method": "GET"}])).await;
    let doomed = Shop::open(&scene.world, &scene.sandbox);
    let dying = tokio::spawn(async move { doomed.events.work_off().await });
    wait::try_for("the hanging call", PATIENCE, async || {
        let left = scene.sandbox.control(Method::GET, "/behaviour", Value::Null).await;
        (left["rules"] == json!([])).then_some(())
    })
    .await
    .unwrap();
    dying.abort();
    assert_eq!(scene.work_off().await, Worked::default());
    scene.world.clock.advance(TimeDelta::minutes(11));
    assert_eq!(scene.work_off().await, Worked { processed: 1, ..Worked::default() });
    assert_eq!(scene.balance().await, "25.00");
}

#[tokio::test]
async fn what_fails_is_tried_again_later_given_up_at_last_and_can_be_sent_again() {
    let scene = Scene::start().await;
    scene.shop.store(scene.seller, scene.buyer, "pm_card_visa").await;
    scene.sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "payment_intents", "method": "POST"}])).await;
    assert_eq!(scene.top_up("r-1", "25.00").await, PaymentState::Pending);
    let events = scene.sandbox.events().await;
    let paid = events.iter().find(|event| event["type"] == "payment_intent.succeeded").unwrap();
    scene.receive(paid).await;
    scene.sandbox.misbehave(json!([{"fault": "status", "status": 500, "next": 1000, "path": "payment_intents"}])).await;
    assert_eq!(scene.work_off().await, Worked { failed: 1, ..Worked::default() });
    assert_eq!(scene.work_off().await, Worked::default());
    let mut tries = 1;
    while scene.states().await[0].1 == "waiting" {
        scene.world.clock.advance(TimeDelta::hours(1));
        let worked = scene.work_off().await;
        assert_eq!(worked.failed + worked.given_up, 1);
        tries += 1;
    }
    assert_eq!((tries, scene.states().await[0].1.as_str()), (20, "given_up"));
    scene.world.clock.advance(TimeDelta::hours(1));
    assert_eq!(scene.work_off().await, Worked::default());

    scene.sandbox.misbehave(json!([])).await;
    assert!(!scene.receive(paid).await);
    assert_eq!(scene.work_off().await, Worked { processed: 1, ..Worked::default() });
    assert_eq!(scene.balance().await, "25.00");
}

#[tokio::test]
async fn what_was_given_up_is_listed_shown_without_secrets_and_tried_again_by_an_operator() {
    let scene = Scene::start().await;
    scene.shop.store(scene.seller, scene.buyer, "pm_card_visa").await;
    scene.sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "payment_intents", "method": "POST"}])).await;
    scene.top_up("r-1", "25.00").await;
    let events = scene.sandbox.events().await;
    let paid = events.iter().find(|event| event["type"] == "payment_intent.succeeded").unwrap();
    scene.receive(paid).await;
    scene.receive(&event("evt_waits", "payment_intent.succeeded", json!({"id": "pi_1"}), scene.now())).await;
    let operator = GivenUpEvents::new(scene.world.pool().clone());
    assert_eq!((operator.count().await.unwrap(), operator.list(10).await.unwrap()), (0, vec![]));
    sqlx::query("UPDATE billing.provider_events SET state = 'given_up', attempts = 20, error = 'no answer' WHERE event_id <> 'evt_waits'")
        .execute(scene.world.pool())
        .await
        .unwrap();
    let listed = operator.list(10).await.unwrap();
    let id = text(&paid["id"]).to_owned();
    let told: Vec<_> = listed.iter().map(|it| (&*it.id, &*it.kind, it.attempts, &*it.error)).collect();
    assert_eq!((told, operator.count().await.unwrap()), (vec![(&*id, "payment_intent.succeeded", 20, "no answer")], 1));
    let detail = operator.show(&id).await.unwrap().unwrap();
    assert!(detail.about.contains(&("id".to_owned(), text(&paid["data"]["object"]["id"]).to_owned())), "{detail:?}");
    assert!(detail.about.iter().any(|(name, _)| name == "metadata.payment_id"), "{detail:?}");
    let secret = text(&paid["data"]["object"]["client_secret"]);
    assert!(!format!("{detail:?}").contains(secret), "{detail:?}");
    assert_eq!(operator.show("evt_waits").await.unwrap(), None);

    let wanted = [id.clone(), "evt_waits".to_owned(), "evt_nobody".to_owned()];
    assert_eq!(operator.retry(Some(&wanted), scene.now()).await.unwrap(), [id]);
    assert_eq!(operator.retry(None, scene.now()).await.unwrap(), Vec::<String>::new());
    assert_eq!(scene.work_off().await, Worked { processed: 1, ignored: 1, ..Worked::default() });
    assert_eq!((scene.balance().await.as_str(), operator.count().await.unwrap()), ("25.00", 0));
}

#[tokio::test]
async fn a_card_named_to_stripe_is_stored_and_one_taken_away_there_is_forgotten() {
    let scene = Scene::start().await;
    let (seller, buyer) = (scene.seller, scene.buyer);
    let setup = scene.shop.cards.begin_setup(&person(seller, buyer)).await.unwrap();
    scene.sandbox.confirm(&setup.client_secret, "4242424242424242").await;
    scene.world.clock.advance(TimeDelta::seconds(1));
    let second = scene.shop.store(seller, buyer, "pm_card_amex").await;
    assert!(second.is_primary);
    let events = scene.sandbox.events().await;
    let named = events.iter().find(|event| event["type"] == "setup_intent.succeeded").unwrap();
    scene.receive(named).await;
    assert_eq!(scene.work_off().await.processed, 1);
    let cards = scene.shop.cards.list(seller, buyer).await.unwrap();
    assert_eq!(cards.iter().map(|card| card.last4.as_str()).collect::<Vec<_>>(), [second.last4.as_str(), "4242"]);

    // At the dashboard.
    use leadflow_billing::outbound::provider::PaymentProvider as _;
    scene.shop.stripe.detach_card(&second.payment_method).await.unwrap();
    let events = scene.sandbox.events().await;
    let gone = events.iter().find(|event| event["type"] == "payment_method.detached").unwrap();
    scene.receive(gone).await;
    assert_eq!(scene.work_off().await.processed, 1);
    let cards = scene.shop.cards.list(seller, buyer).await.unwrap();
    assert_eq!(cards.iter().map(|card| (card.last4.as_str(), card.is_primary)).collect::<Vec<_>>(), [("4242", true)]);

    // The first event, late: its card is still there; the second's is not, and does not come back.
    let late = event(
        "evt_late",
        "setup_intent.succeeded",
        json!({"id": "seti_9", "customer": setup.customer, "payment_method": second.payment_method}),
        scene.now(),
    );
    scene.receive(&late).await;
    scene.work_off().await;
    assert_eq!(scene.shop.cards.list(seller, buyer).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_disputed_charge_is_told_of() {
    let scene = Scene::start().await;
    scene.shop.store(scene.seller, scene.buyer, "pm_card_visa").await;
    assert_eq!(scene.top_up("r-1", "50.00").await, PaymentState::Succeeded);
    let id = charge_id(&scene.sandbox).await;
    let dispute = scene.sandbox.control(Method::POST, &format!("/charges/{id}/dispute"), json!({})).await;
    for event in scene.sandbox.events().await {
        scene.receive(&event).await;
    }
    while scene.work_off().await.any() {}
    assert_eq!(scene.balance().await, "0.00");
    let close = format!("/disputes/{}/close", text(&dispute["id"]));
    scene.sandbox.control(Method::POST, &close, json!({"won": true})).await;
    for event in scene.sandbox.events().await {
        scene.receive(&event).await;
    }
    while scene.work_off().await.any() {}
    assert_eq!(scene.balance().await, "50.00");
    assert!(scene.states().await.iter().all(|(_, state, _)| state != "waiting" && state != "given_up"));
    scene.world.check_books().await;
}

#[tokio::test]
async fn old_webhooks_are_forgotten_and_open_ones_kept() {
    let scene = Scene::start().await;
    scene.receive(&event("evt_done", "invoice.paid", json!({"id": "in_1"}), scene.now())).await;
    scene.work_off().await;
    scene.world.clock.advance(TimeDelta::days(91));
    scene.receive(&event("evt_open", "invoice.paid", json!({"id": "in_1"}), scene.now())).await;
    let age = TimeDelta::from_std(Duration::from_secs(90 * 86_400)).unwrap();
    assert_eq!(scene.shop.events.forget_older_than(age).await.unwrap(), 1);
    assert_eq!(scene.states().await, [("evt_open".to_owned(), "waiting".to_owned(), 0)]);
}
