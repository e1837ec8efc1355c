//! Cards: stored, listed, chosen, removed, and nobody else's.

use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    card::{METHODS, WALLET},
    world::{PATIENCE, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_stored_listed_chosen_and_removed() {
    let world = World::start().await;
    let client = &world.client;
    let (_, code) = world.seller("cards").await;
    let buyer = world.buyer("cards", &code).await;
    let token = &buyer.token;
    assert_eq!(client.get(METHODS, token).await.ok(200), json!({ "paymentMethods": [] }));
    let set_up = async || client.call(Method::POST, "/api/payments/setup-intent", token, None).await.ok(200);
    let (first, second) = tokio::join!(set_up(), set_up());
    assert_eq!(first["customerId"], second["customerId"], "one customer however many ask at once");
    assert!(first["publishableKey"].as_str().unwrap().starts_with("pk_test_"));
    assert_ne!(first["clientSecret"], second["clientSecret"]);

    let visa = world.card(&buyer, "pm_card_visa").await;
    for (field, value) in [("brand", json!("visa")), ("last4", json!("4242")), ("isPrimary", json!(true))] {
        assert_eq!(visa[field], value, "{visa}");
    }
    assert!(visa["id"].as_str().unwrap().starts_with("card_"));
    assert!(visa["stripePaymentMethodId"].as_str().unwrap().starts_with("pm_"));
    // The same once more is the same card.
    let body = json!({ "paymentMethodId": visa["stripePaymentMethodId"] });
    assert_eq!(client.post(METHODS, token, &body).await.ok(201)["paymentMethod"]["id"], visa["id"]);
    let master = world.card(&buyer, "pm_card_mastercard").await;
    assert_eq!(master["isPrimary"], false);

    let listed = async || client.get(METHODS, token).await.ok(200)["paymentMethods"].clone();
    let ids = |listed: &Value| listed.as_array().unwrap().iter().map(|card| card["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&listed().await), [visa["id"].clone(), master["id"].clone()], "the primary one first");
    let changed = client.put(METHODS, token, &json!({ "paymentMethodId": master["id"] })).await.ok(200);
    assert_eq!(changed["paymentMethod"]["isPrimary"], true);
    assert_eq!(ids(&listed().await), [master["id"].clone(), visa["id"].clone()]);
    // By Stripe's id, too.
    client.put(METHODS, token, &json!({ "paymentMethodId": visa["stripePaymentMethodId"] })).await.ok(200);
    client.put(METHODS, token, &json!({ "paymentMethodId": master["id"] })).await.ok(200);

    let recharge = json!({ "autoRechargeEnabled": true, "autoRechargeThreshold": 10, "autoRechargeAmount": 50 });
    client.put(WALLET, token, &recharge).await.ok(200);
    let removed = client.delete(&format!("{METHODS}?id={}", master["id"].as_str().unwrap()), token).await.ok(200);
    assert_eq!(removed["primaryPaymentMethodId"], visa["id"], "another one is promoted");
    assert_eq!(removed["autoRechargeTurnedOff"], false);
    let removed = client.delete(&format!("{METHODS}?id={}", visa["id"].as_str().unwrap()), token).await.ok(200);
    assert_eq!((&removed["primaryPaymentMethodId"], &removed["autoRechargeTurnedOff"]), (&Value::Null, &json!(true)));
    assert_eq!(listed().await, json!([]));
    let wallet = world.wallet(&buyer).await;
    assert_eq!(wallet["autoRechargeEnabled"], false);
    assert!(wallet["autoRechargeTurnedOffBecause"].as_str().is_some_and(|text| !text.is_empty()), "{wallet}");
    assert_eq!(client.put(WALLET, token, &json!({ "autoRechargeEnabled": true })).await.refused(409), "no_card");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_somebody_elses_card() {
    let world = World::start().await;
    let client = &world.client;
    let (_, code) = world.seller("mine").await;
    let (mine, rival) = (world.buyer("mine", &code).await, world.buyer("rival", &code).await);
    let (_, code) = world.seller("theirs").await;
    let theirs = world.buyer("theirs", &code).await;
    let card = world.card(&mine, "pm_card_visa").await;
    for other in [&rival, &theirs] {
        world.card(other, "pm_card_visa").await;
        for id in [&card["id"], &card["stripePaymentMethodId"], &json!("pm_nonsense"), &json!("../x"), &json!("")] {
            let chosen = json!({ "paymentMethodId": id });
            assert_eq!(client.post(METHODS, &other.token, &chosen).await.refused(404), "card_not_found", "{id}");
            assert_eq!(client.put(METHODS, &other.token, &chosen).await.refused(404), "card_not_found", "{id}");
            let path = format!("{METHODS}?id={}", id.as_str().unwrap());
            assert_eq!(client.delete(&path, &other.token).await.refused(404), "card_not_found", "{id}");
        }
        for id in [&card["id"], &card["stripePaymentMethodId"]] {
            let answer = world.top_up(other, "", &json!({ "amount": 50, "paymentMethodId": id })).await;
            assert_eq!(answer.refused(404), "card_not_found");
        }
    }
    assert_eq!(client.get(METHODS, &mine.token).await.ok(200)["paymentMethods"][0]["id"], card["id"]);
    assert_eq!(world.stripe().charges().await.len(), 0);
    // One that is declined at once is not stored.
    for (name, code) in [
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
    ] {
        let body = json!({ "paymentMethodId": name });
        assert_eq!(client.post(METHODS, &rival.token, &body).await.refused(402), code);
    }
    assert_eq!(client.get(METHODS, &rival.token).await.ok(200)["paymentMethods"].as_array().unwrap().len(), 1);
    // What is missing or of another kind is told by its field.
    for (body, field) in [(json!({}), "paymentMethodId"), (json!({ "paymentMethodId": 3 }), "paymentMethodId")] {
        let answer = client.post(METHODS, &mine.token, &body).await;
        assert!(answer.body["fields"][field].is_string(), "{}", answer.text);
        answer.refused(422);
    }
    assert_eq!(client.delete(METHODS, &mine.token).await.refused(400), "query_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_stripe_everything_else_works() {
    let world = World::with(&[("STRIPE_SECRET_KEY", ""), ("STRIPE_WEBHOOK_SECRET", "")]).await;
    let client = &world.client;
    let (seller, code) = world.seller("bare").await;
    let buyer = world.buyer("bare", &code).await;
    let answer = client.call(Method::POST, "/api/payments/setup-intent", &buyer.token, None).await;
    assert_eq!(answer.refused(409), "payments_not_configured");
    let signed = [("stripe-signature", "t=1,v1=00")];
    let told = client.send(Method::POST, "/api/webhooks/stripe", &signed, Some("{}".into())).await;
    assert_eq!(told.refused(409), "webhooks_not_configured");
    assert_eq!(client.get(METHODS, &buyer.token).await.ok(200), json!({ "paymentMethods": [] }));
    world.credit(&seller, buyer.user["buyerId"].as_str().unwrap(), 20).await;
    let wallet = wait::until_some("the credit is there", PATIENCE, async || {
        Some(world.wallet(&buyer).await).filter(|wallet| wallet["balance"] == json!(20.0))
    })
    .await;
    assert_eq!((&wallet["autoRechargeEnabled"], &wallet["suspended"]), (&json!(false), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_tries_too_many_cards_waits() {
    let world = World::with(&[("PAYMENTS_CARD_DECLINES_AN_HOUR", "2")]).await;
    let client = &world.client;
    let (_, code) = world.seller("careful").await;
    let (buyer, other) = (world.buyer("careful", &code).await, world.buyer("patient", &code).await);
    let bad = json!({ "paymentMethodId": "pm_card_visa_chargeDeclined" });
    for _ in 0..2 {
        assert_eq!(client.post(METHODS, &buyer.token, &bad).await.refused(402), "card_declined");
    }
    let set_up = async |token: &str| client.call(Method::POST, "/api/payments/setup-intent", token, None).await;
    let top_up = async || world.top_up(&buyer, "", &json!({ "amount": 50 })).await;
    for answer in [client.post(METHODS, &buyer.token, &bad).await, set_up(&buyer.token).await] {
        let wait: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3_600).contains(&wait), "{wait}");
        assert_eq!(answer.refused(429), "too_many_card_attempts");
    }
    // Without a card there is nothing to charge; that is told first.
    assert_eq!(top_up().await.refused(409), "no_card");
    set_up(&other.token).await.ok(200);
}
