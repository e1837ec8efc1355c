//! What Stripe tells, and who pretends to be Stripe.

use http::Method;
use leadflow_testkit::wait;
use serde_json::json;

use crate::{
    card::{HOOK, books_are_clean, pair},
    feed::Feed,
    world::{PATIENCE, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_stripe_signed_is_taken_as_it_came_and_once() {
    let world = World::with(&[
        ("STRIPE_WEBHOOK_SECRET", "whsec_new,whsec_old"),
        ("SANDBOX_STRIPE_WEBHOOK_SECRETS", "whsec_new"),
    ])
    .await;
    let tell = async |signature: &str, body: &str| {
        let mut headers = vec![("cookie", "leadflow_session=nobody"), ("origin", "https://evil.example")];
        if !signature.is_empty() {
            headers.push(("stripe-signature", signature));
        }
        world.client.send(Method::POST, HOOK, &headers, Some(body.to_owned().into())).await
    };
    let now = || leadflow_kernel::Clock::now(&leadflow_kernel::SystemClock);
    let signed = |secret: &str, body: &str, seconds_ago: i64| {
        let at = now() - chrono::TimeDelta::seconds(seconds_ago);
        leadflow_sandbox::stripe::signature(body.as_bytes(), &[secret.to_owned()], at)
    };
    // Spaces and the order of fields are part of what is signed. Nobody knows this kind: it is kept and ignored.
    let event = "{ \"type\" :\"wine.opened\",\n  \"id\":\"evt_1\", \"object\":\"event\", \"created\": 1700000000,\"livemode\":false, \
                 \"api_version\":null,\"pending_webhooks\":1, \"request\":null, \"data\": {\"object\":{ \"id\":\"x\",\"object\":\"wine\"}}}";
    for secret in ["whsec_new", "whsec_old", "whsec_new"] {
        assert_eq!(tell(&signed(secret, event, 0), event).await.ok(200), json!({ "received": true }));
    }
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let kept: Vec<(String,)> = sqlx::query_as("SELECT body FROM billing.provider_events WHERE event_id = 'evt_1'")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(kept, [(event.to_owned(),)]);
    let other = event.replace("evt_1", "evt_2");
    for (signature, body) in [
        (String::new(), event),
        ("nonsense".to_owned(), event),
        (signed("whsec_new", event, 0), other.as_str()),
        (signed("whsec_other", event, 0), event),
        (signed("whsec_new", event, 3_600), event),
    ] {
        assert_eq!(tell(&signature, body).await.refused(400), "bad_signature", "{signature}");
    }
    assert_eq!(tell(&signed("whsec_new", "", 0), "").await.refused(400), "malformed_json");
    let large = format!("\"{}\"", "x".repeat(600 * 1024));
    assert_eq!(tell(&signed("whsec_new", &large, 0), &large).await.refused(413), "body_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_payment_keeps_its_wallet_from_buying_and_both_sides_hear_of_it() {
    let world = World::start().await;
    let (seller, buyer) = pair(&world, "disputed").await;
    world.card(&buyer, "pm_card_visa").await;
    world.top_up(&buyer, "", &json!({ "amount": 50 })).await.ok(200);
    let mut feeds = [Feed::open(&world.client, &buyer.token).await, Feed::open(&world.client, &seller.token).await];
    let charge = world.stripe().charges().await[0]["id"].as_str().unwrap().to_owned();
    let dispute = world.stripe().dispute(&charge).await;
    for feed in &mut feeds {
        let (told, _) = feed.until("payment.dispute_opened").await;
        assert_eq!(told.data["amount"], json!(50.0));
    }
    let wallet = world.wallet(&buyer).await;
    assert_eq!((&wallet["suspended"], &wallet["available"]), (&json!(true), &json!(0.0)), "{wallet}");
    world.stripe().close_dispute(&dispute, true).await;
    for feed in &mut feeds {
        let (told, _) = feed.until("payment.dispute_closed").await;
        assert_eq!(told.data["won"], true);
    }
    wait::until("the wallet may buy again", PATIENCE, async || {
        let wallet = world.wallet(&buyer).await;
        wallet["suspended"] == false && wallet["available"] == json!(50.0)
    })
    .await;
    books_are_clean(&world).await;
}
