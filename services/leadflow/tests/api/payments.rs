//! Money from cards: top-ups, what is refused, what is told later, and what goes back.

use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    card::{HOOK, WALLET, books_are_clean, pair},
    feed::Feed,
    world::{PATIENCE, Person, World},
};

/// The payment when it is no longer open.
async fn settled(world: &World, buyer: &Person, id: &Value) -> Value {
    let path = format!("/api/payments/{}", id.as_str().unwrap());
    wait::until_some("the payment is settled", PATIENCE, async || {
        let payment = world.client.get(&path, &buyer.token).await.ok(200)["payment"].clone();
        (!matches!(payment["status"].as_str(), Some("pending" | "requires_action"))).then_some(payment)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_fills_the_wallet_once_for_each_key() {
    let world = World::replicated(2, &[]).await;
    let (_, buyer) = pair(&world, "top").await;
    assert_eq!(world.top_up(&buyer, "", &json!({ "amount": 50 })).await.refused(409), "no_card");
    world.card(&buyer, "pm_card_visa").await;
    let mut feed = Feed::open(&world.client, &buyer.token).await;

    // What a client says of automatic recharging is nothing.
    let body = json!({ "amount": 50.5, "isAutoRecharge": true });
    let (one, other) = tokio::join!(world.top_up(&buyer, "k-1", &body), world.top_up(&buyer, "k-1", &body));
    // Whoever came second may be told that it is under way.
    let paid = [one, other].into_iter().filter(|answer| answer.status != 202).map(|answer| answer.ok(200));
    let paid: Vec<Value> = paid.collect();
    assert!(!paid.is_empty());
    for answer in &paid {
        assert_eq!((&answer["status"], &answer["balance"]), (&json!("succeeded"), &json!(50.5)), "{answer}");
        let line = &answer["transaction"];
        assert_eq!((&line["type"], &line["amount"]), (&json!("TOP_UP"), &json!(50.5)));
        assert_eq!((&line["balanceBefore"], &line["balanceAfter"]), (&json!(0.0), &json!(50.5)));
        assert!(line["stripePaymentIntentId"].as_str().unwrap().starts_with("pi_"), "{line}");
    }
    let (told, _) = feed.until("payment.succeeded").await;
    assert_eq!((&told.data["amount"], &told.data["recharge"]), (&json!(50.5), &json!(false)));
    // Again, later: the same.
    let again = world.top_up(&buyer, "k-1", &body).await.ok(200);
    assert_eq!(again["transaction"], paid[0]["transaction"]);
    let charges = world.stripe().charges().await;
    assert_eq!((charges.len(), &charges[0]["amount"]), (1, &json!(5050)));
    // The key belongs to that amount.
    assert_eq!(world.top_up(&buyer, "k-1", &json!({ "amount": 60 })).await.refused(409), "payment_exists");
    assert_eq!(world.top_up(&buyer, "", &json!({ "amount": 60 })).await.ok(200)["balance"], json!(110.5));

    let wallet = world.wallet(&buyer).await;
    assert_eq!((&wallet["balance"], wallet["transactions"].as_array().unwrap().len()), (&json!(110.5), 2));
    let shown = settled(&world, &buyer, &paid[0]["paymentId"]).await;
    assert_eq!((&shown["status"], &shown["type"]), (&json!("succeeded"), &json!("TOP_UP")));
    assert_eq!(shown["transaction"], paid[0]["transaction"]);
    books_are_clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_amount_charges_nobody() {
    let world = World::start().await;
    let (seller, buyer) = pair(&world, "amounts").await;
    world.card(&buyer, "pm_card_visa").await;
    for amount in [
        json!("100"),
        json!(0),
        json!(-5),
        json!(1.005),
        json!(1e300),
        json!(0.01),
        json!(1_000_000),
        json!(null),
        json!(true),
        json!([50]),
    ] {
        let answer = world.top_up(&buyer, "", &json!({ "amount": amount })).await;
        assert!(answer.body["fields"]["amount"].is_string(), "{amount}: {}", answer.text);
        answer.refused(422);
    }
    world.top_up(&buyer, "", &json!({})).await.refused(422);
    assert_eq!(
        world.top_up(&buyer, "two words", &json!({ "amount": 50 })).await.refused(400),
        "idempotency_key_invalid"
    );
    // Only a buyer has a wallet.
    assert_eq!(world.top_up(&seller, "", &json!({ "amount": 50 })).await.refused(403), "forbidden");
    world.client.post(WALLET, "", &json!({ "amount": 50 })).await.refused(401);
    assert_eq!(world.stripe().charges().await.len(), 0);
    assert_eq!(world.wallet(&buyer).await["balance"], json!(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_is_402_with_a_reason_and_the_same_key_stays_declined() {
    let world = World::start().await;
    let (_, buyer) = pair(&world, "declined").await;
    let card = world.card(&buyer, "pm_card_chargeCustomerFail").await;
    let mut feed = Feed::open(&world.client, &buyer.token).await;
    for key in ["k-1", "k-1", "k-2"] {
        let answer = world.top_up(&buyer, key, &json!({ "amount": 50 })).await;
        assert!(answer.body["error"].as_str().unwrap().contains("bank declined"), "{}", answer.text);
        assert_eq!(answer.refused(402), "card_declined");
    }
    let (told, _) = feed.until("payment.declined").await;
    assert_eq!((&told.data["code"], &told.data["nextAttemptAt"]), (&json!("card_declined"), &Value::Null));
    let declined = settled(&world, &buyer, &told.data["paymentId"]).await;
    assert_eq!((&declined["status"], &declined["code"]), (&json!("declined"), &json!("card_declined")));

    let method = card["stripePaymentMethodId"].as_str().unwrap();
    for (decline, code) in [("insufficient_funds", "insufficient_funds"), ("stolen_card", "card_declined")] {
        world.stripe().tell_card(method, Some(decline)).await;
        let answer = world.top_up(&buyer, "", &json!({ "amount": 50 })).await;
        assert!(!answer.text.contains("stolen"), "{}", answer.text);
        assert_eq!(answer.refused(402), code);
    }
    assert_eq!(world.wallet(&buyer).await["balance"], json!(0.0));
    assert_eq!(world.stripe().charges().await.len(), 0);
    books_are_clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_its_owner_confirms_is_credited_when_stripe_says_so() {
    let mut world = World::start().await;
    let (_, buyer) = pair(&world, "confirms").await;
    world.card(&buyer, "pm_card_authenticationRequired").await;
    let body = json!({ "amount": 40 });
    let asked = world.top_up(&buyer, "k-1", &body).await.ok(200);
    assert_eq!(asked["status"], "requires_action", "{asked}");
    assert!(asked["balance"].is_null());
    let again = world.top_up(&buyer, "k-1", &body).await.ok(200);
    assert_eq!((&again["clientSecret"], &again["paymentId"]), (&asked["clientSecret"], &asked["paymentId"]));
    // Others know nothing of it.
    let (_, other) = pair(&world, "curious").await;
    let path = format!("/api/payments/{}", asked["paymentId"].as_str().unwrap());
    assert_eq!(world.client.get(&path, &other.token).await.refused(404), "payment_not_found");

    // Billing is away when the owner confirms: Stripe tells it again.
    let billing = world.cluster.indices("billing")[0];
    world.cluster.replicas[billing].kill9();
    world.stripe().authenticate(&asked["clientSecret"], true).await;
    let event = json!({ "id": "evt_1", "type": "customer.created" }).to_string();
    let answer = world.client.send(Method::POST, HOOK, &[("stripe-signature", "t=1,v1=00")], Some(event.into())).await;
    assert_eq!(answer.refused(503), "unavailable");
    world.cluster.replicas[billing].spawn().unwrap();
    world.cluster.ready(billing).await.unwrap();
    let paid = settled(&world, &buyer, &asked["paymentId"]).await;
    assert_eq!((&paid["status"], &paid["transaction"]["amount"]), (&json!("succeeded"), &json!(40.0)));
    assert_eq!(world.top_up(&buyer, "k-1", &body).await.ok(200)["balance"], json!(40.0));

    let asked = world.top_up(&buyer, "k-2", &body).await.ok(200);
    world.stripe().authenticate(&asked["clientSecret"], false).await;
    assert_eq!(settled(&world, &buyer, &asked["paymentId"]).await["status"], "declined");
    assert_eq!(world.top_up(&buyer, "k-2", &body).await.status, 402);
    assert_eq!(world.stripe().charges().await.len(), 1);
    books_are_clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_again_and_nothing_is_charged_twice() {
    let world = World::with(&[("STRIPE_TIMEOUT_SECONDS", "2")]).await;
    let (_, buyer) = pair(&world, "lost").await;
    world.card(&buyer, "pm_card_visa").await;
    let path = "payment_intents";
    for (key, fault) in [("k-1", json!({ "fault": "lostAnswer" })), ("k-2", json!({ "fault": "lostRequest" }))] {
        let mut rule = fault;
        rule["path"] = path.into();
        rule["method"] = "POST".into();
        rule["next"] = 10.into();
        world.stripe().behave(&json!([rule])).await;
        let body = json!({ "amount": 30 });
        let pending = world.top_up(&buyer, key, &body).await;
        assert_eq!(pending.status, 202, "{}", pending.text);
        assert_eq!(pending.body["statusUrl"], format!("/api/payments/{}", pending.body["paymentId"].as_str().unwrap()));
        world.stripe().behave(&json!([])).await;
        // The same once more, while nobody knows; then it is known.
        world.top_up(&buyer, key, &body).await;
        assert_eq!(settled(&world, &buyer, &pending.body["paymentId"]).await["status"], "succeeded");
    }
    assert_eq!(world.wallet(&buyer).await["balance"], json!(60.0));
    assert_eq!(world.stripe().charges().await.len(), 2);
    books_are_clean(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unspent_money_goes_back_to_the_cards_that_it_came_from() {
    let world = World::start().await;
    let (seller, buyer) = pair(&world, "back").await;
    let buyer_id = buyer.user["buyerId"].as_str().unwrap().to_owned();
    let path = format!("/api/buyers/{buyer_id}/refund");
    world.card(&buyer, "pm_card_visa").await;
    for amount in [50, 30] {
        world.top_up(&buyer, "", &json!({ "amount": amount })).await.ok(200);
    }
    world.credit(&seller, &buyer_id, 15).await;
    let manager = world.member(&seller, "manager@back.example", "MANAGER").await;
    let viewer = world.member(&seller, "viewer@back.example", "VIEWER").await;
    let refund = async |person: &Person, key: &str, amount: Value| {
        let bearer = format!("Bearer {}", person.token);
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({ "amount": amount, "reason": "he leaves" }).to_string();
        world.client.send(Method::POST, &path, &headers, Some(body.into())).await
    };
    for (person, key, amount, status) in [
        (&buyer, "r-0", json!(10), 403),
        (&viewer, "r-0", json!(10), 403),
        (&manager, "r-0", json!("10"), 422),
        (&manager, "r-0", json!(0), 422),
        (&manager, "r-0", json!(96), 409),
        // Only what came from cards goes to cards.
        (&manager, "r-0", json!(85), 409),
    ] {
        refund(person, key, amount.clone()).await.refused(status);
    }
    let (_, stranger) = pair(&world, "stranger").await;
    let (other_seller, _) = pair(&world, "other").await;
    refund(&stranger, "r-0", json!(1)).await.refused(403);
    refund(&other_seller, "r-0", json!(1)).await.refused(404);
    world.client.post(&path, &seller.token, &json!({ "amount": 1, "reason": " " })).await.refused(422);

    let (one, other) = tokio::join!(refund(&manager, "r-1", json!(40)), refund(&manager, "r-1", json!(40)));
    let (one, other) = (one.ok(201), other.ok(201));
    assert_eq!(one["wallet"]["balance"], json!(55.0), "{one}");
    assert_eq!(other["wallet"]["balance"], json!(55.0), "{other}");
    let parts = one["refunds"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| part["amount"].clone()).collect::<Vec<_>>(), [json!(30.0), json!(10.0)]);
    assert_eq!(refund(&manager, "r-1", json!(41)).await.refused(409), "refund_exists");
    wait::until("it is on the cards", PATIENCE, async || world.stripe().refunded().await == 4_000).await;
    let wallet = world.wallet(&buyer).await;
    assert_eq!((&wallet["transactions"][0]["type"], &wallet["balance"]), (&json!("CARD_REFUND"), &json!(55.0)));
    refund(&seller, "r-2", json!(40)).await.ok(201);
    wait::until("the rest is, too", PATIENCE, async || world.stripe().refunded().await == 8_000).await;

    // The platform gives back, too; and what is given back is not charged again.
    world.top_up(&buyer, "", &json!({ "amount": 20 })).await.ok(200);
    let change = json!({ "autoRechargeEnabled": true, "autoRechargeThreshold": 20, "autoRechargeAmount": 30 });
    world.client.put(WALLET, &buyer.token, &change).await.ok(200);
    let admin = world.admin("ada@platform.example").await;
    let of = |person: &Person| format!("/api/admin/sellers/{}/refund", person.user["sellerId"].as_str().unwrap());
    let body = json!({ "buyerId": buyer_id, "amount": 20, "reason": "he complained" });
    world.client.post(&of(&seller), &seller.token, &body).await.refused(403);
    world.client.post(&of(&other_seller), &admin.token, &body).await.refused(404);
    let nobody = json!({ "buyerId": "x", "amount": 20, "reason": "he complained" });
    world.client.post(&of(&seller), &admin.token, &nobody).await.refused(404);
    let given = world.client.post(&of(&seller), &admin.token, &body).await.ok(201);
    assert_eq!(given["wallet"]["balance"], json!(15.0), "{given}");
    wait::until("and that, too", PATIENCE, async || world.stripe().refunded().await == 10_000).await;
    let wallet = world.wallet(&buyer).await;
    assert_eq!(wallet["autoRechargeEnabled"], json!(false), "{wallet}");
    books_are_clean(&world).await;
    assert_eq!(world.stripe().charges().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_runs_low_is_filled_by_itself_and_the_lead_that_waited_is_sold() {
    let world = World::start().await;
    let client = &world.client;
    let (seller, code) = world.seller("low").await;
    let buyer = world.buyer("low", &code).await;
    let category = world.category(&seller, "Medicare Supplement").await;
    let campaign = world.campaign(&seller, &category).await;
    world.subscribe(&buyer, &campaign).await;
    let (_, key) = world.supplier(&seller, &category).await;
    for (change, field) in [
        (json!({ "autoRechargeThreshold": "10" }), "autoRechargeThreshold"),
        (json!({ "autoRechargeThreshold": -1 }), "autoRechargeThreshold"),
        (json!({ "autoRechargeAmount": 0.01 }), "autoRechargeAmount"),
        (json!({ "autoRechargeAmount": 1_000_000 }), "autoRechargeAmount"),
        (json!({ "autoRechargeMostADay": 21 }), "autoRechargeMostADay"),
        (json!({ "autoRechargeMostADay": 0 }), "autoRechargeMostADay"),
        (json!({ "autoRechargeEnabled": "yes" }), "autoRechargeEnabled"),
    ] {
        let answer = client.put(WALLET, &buyer.token, &change).await;
        assert!(answer.body["fields"][field].is_string(), "{change}: {}", answer.text);
        answer.refused(422);
    }
    let recharge = json!({ "autoRechargeEnabled": true, "autoRechargeThreshold": 20, "autoRechargeAmount": 50 });
    assert_eq!(client.put(WALLET, &buyer.token, &recharge).await.refused(409), "no_card");
    world.card(&buyer, "pm_card_visa").await;
    world.credit(&seller, buyer.user["buyerId"].as_str().unwrap(), 30).await;

    let mut feeds = [Feed::open(client, &buyer.token).await, Feed::open(client, &seller.token).await];
    let set = client.put(WALLET, &buyer.token, &recharge).await.ok(200);
    for (field, value) in [
        ("autoRechargeEnabled", json!(true)),
        ("autoRechargeThreshold", json!(20.0)),
        ("autoRechargeAmount", json!(50.0)),
        ("autoRechargeDeclines", json!(0)),
    ] {
        assert_eq!(set[field], value, "{set}");
        assert_eq!(world.wallet(&buyer).await[field], value);
    }
    // The first lead leaves 5, which is low; what comes in sells the second, which 5 could not have paid.
    for number in 1..=2 {
        world.post_lead(&key, &campaign, number).await;
    }
    for feed in &mut feeds {
        let (told, _) = feed.until("payment.succeeded").await;
        assert_eq!((&told.data["amount"], &told.data["recharge"]), (&json!(50.0), &json!(true)));
    }
    let wallet = wait::until_some("both leads are paid", PATIENCE, async || {
        Some(world.wallet(&buyer).await).filter(|wallet| wallet["balance"] == json!(30.0))
    })
    .await;
    let kinds: Vec<_> = wallet["transactions"].as_array().unwrap().iter().map(|line| &line["type"]).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "RECHARGE").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "LEAD_PURCHASE").count(), 2, "{kinds:?}");
    assert_eq!(world.stripe().charges().await.len(), 1);
    assert_eq!((&wallet["spentThisMonth"], &wallet["suspended"]), (&json!(50.0), &json!(false)));

    // Turned off, it stays off.
    let off = client.put(WALLET, &buyer.token, &json!({ "autoRechargeEnabled": false })).await.ok(200);
    assert_eq!((&off["autoRechargeEnabled"], &off["autoRechargeAmount"]), (&json!(false), &json!(50.0)));
}
