//! What buyers were told by mail and text message; ending mails by their links; and what providers call back with.

use http::Method;
use leadflow_kernel::{BuyerId, MessageId, SellerId};
use leadflow_notifier::Topic;
use leadflow_platform::grpc::ServiceToken;
use leadflow_testkit::cluster::SERVICE_TOKEN;
use serde_json::{Value, json};

use crate::world::{Person, World};

const LOG: &str = "/api/notifications/messages";
const END: &str = "/api/notifications/unsubscribe";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn buyer_id(buyer: &Person) -> BuyerId {
    buyer.user["buyerId"].as_str().unwrap().parse().unwrap()
}

async fn store(pool: &sqlx::PgPool, buyer: &Person, age: i32, status: &str) -> String {
    let (id, seller) = (MessageId::new(), buyer.user["sellerId"].as_str().unwrap().parse::<SellerId>().unwrap());
    sqlx::query(
        "WITH sent AS ( \
           INSERT INTO notifier.messages (message_id, seller_id, buyer_id, channel, kind, recipient, expires_at, status, \
             attempts_made, error, created_at, ended_at) \
           VALUES ($1, $2, $3, 'EMAIL', 'LEAD_ASSIGNED', 'bea@example.com', now(), $5, 1, 'no such user', \
             now() - make_interval(mins => $4), now()) RETURNING message_id) \
         INSERT INTO notifier.message_attempts SELECT message_id, 1, now(), 5, 550, 'no such user' FROM sent",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .bind(buyer_id(buyer).uuid())
    .bind(age)
    .bind(status)
    .execute(pool)
    .await
    .unwrap();
    id.to_string()
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_and_his_seller_see_what_became_of_each_message() {
    let world = World::start().await;
    let (seller, code) = world.seller("log").await;
    let (buyer, rival) = (world.buyer("log", &code).await, world.buyer("rival", &code).await);
    let (stranger, _) = world.seller("stranger").await;
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let bounced = store(&pool, &buyer, 5, "BOUNCED").await;
    let sent = store(&pool, &buyer, 1, "SENT").await;
    store(&pool, &rival, 1, "SENT").await;

    let of_buyer = format!("/api/buyers/{}/messages", buyer_id(&buyer));
    for (path, token) in [(LOG, &buyer.token), (of_buyer.as_str(), &seller.token)] {
        let seen = world.client.get(path, token).await.ok(200);
        // Mails that people are sent when they register are in nobody's list but their own.
        assert_eq!(ids(&seen), [&sent, &bounced], "{seen}");
        let message = &seen["messages"][1];
        assert_eq!((&message["channel"], &message["status"]), (&json!("EMAIL"), &json!("BOUNCED")));
        assert_eq!((&message["error"], &message["recipient"]), (&json!("no such user"), &json!("bea@example.com")));
        let attempt = &message["attempts"][0];
        assert_eq!((&attempt["statusCode"], &attempt["durationMs"]), (&json!(550), &json!(5)));
        assert!(seen["nextAfter"].is_null(), "{seen}");
        let first = world.client.get(&format!("{path}?limit=1"), token).await.ok(200);
        assert_eq!((ids(&first), &first["nextAfter"]), (vec![sent.as_str()], &json!(sent)));
        let second = world.client.get(&format!("{path}?limit=1&after={sent}"), token).await.ok(200);
        assert_eq!(ids(&second), [&bounced]);
        for wrong in ["limit=0", "limit=201", "after=x"] {
            world.client.get(&format!("{path}?{wrong}"), token).await.refused(400);
        }
    }
    assert_eq!(world.client.get(&of_buyer, &stranger.token).await.refused(404), "buyer_not_found");
    world.client.get(&of_buyer, &buyer.token).await.refused(403);
    world.client.get(LOG, &seller.token).await.refused(403);
    world.client.get(LOG, "").await.refused(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_such_mails_for_people_and_for_their_mail_programs() {
    let world = World::start().await;
    let (_, code) = world.seller("links").await;
    let buyer = world.buyer("links", &code).await;
    let tokens = leadflow_notifier::unsubscribe_tokens(&ServiceToken::new(SERVICE_TOKEN));
    let token = |topic| tokens.write(buyer_id(&buyer), topic);
    let shown = async || {
        let shown = world.client.get("/api/notifications/preferences", &buyer.token).await.ok(200);
        shown["preferences"].clone()
    };
    let chosen = json!({ "emailNotifications": { "dailySummary": true } });
    world.client.put("/api/notifications/preferences", &buyer.token, &chosen).await.ok(200);

    // Whoever looks at the link only sees a page.
    let link = format!("{END}?token={}", token(Topic::DailySummary));
    let page = world.client.send(Method::GET, &link, &[], None).await;
    assert!(page.text.contains("List-Unsubscribe") && page.status == 200, "{}", page.text);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self'"));
    assert_eq!(page.headers["referrer-policy"], "same-origin");
    assert_eq!(shown().await["emailNotifications"]["dailySummary"], true);

    // A mail program; and the same again.
    for _ in 0..2 {
        let ended =
            world.client.send(Method::POST, &link, &[FORM], Some("List-Unsubscribe=One-Click".into())).await.ok(200);
        assert_eq!(ended["kind"], "DAILY_SUMMARY");
        assert_eq!(shown().await["emailNotifications"], json!({ "lowBalance": true, "dailySummary": false }));
    }
    // A front end's page, and the sandbox's in its place.
    let body = json!({ "token": token(Topic::LowBalance) });
    assert_eq!(world.client.post(END, "", &body).await.ok(200)["kind"], "LOW_BALANCE");
    let sandbox = crate::client::Client::without_document(&world.cluster.http_urls("sandbox")[0]);
    let form = format!("token={}", token(Topic::LeadAssigned));
    let page = sandbox.send(Method::POST, "/app/unsubscribe", &[FORM], Some(form.into())).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let after = shown().await;
    assert_eq!((&after["emailOnLead"], &after["emailOnReturn"]), (&json!(false), &json!(true)));
    assert_eq!(after["emailNotifications"]["lowBalance"], false);

    for (path, headers, body, status, code) in [
        (END, vec![("content-type", "application/json")], r#"{"token":"x"}"#, 404, "token_not_found"),
        (END, vec![("content-type", "application/json")], "{}", 422, "validation_failed"),
        (END, vec![("content-type", "application/json")], "{", 400, "malformed_json"),
        (END, vec![FORM], "List-Unsubscribe=One-Click", 404, "token_not_found"),
        (link.as_str(), vec![FORM], "x=y", 415, "content_type_unsupported"),
        (link.as_str(), vec![], "", 415, "content_type_unsupported"),
        (link.as_str(), vec![FORM, ("origin", "https://evil.example")], "x=y", 403, "cross_site_request"),
    ] {
        let answer = world.client.send(Method::POST, path, &headers, Some(body.to_owned().into())).await;
        assert_eq!(answer.refused(status), code, "{path} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_not_believed_where_its_key_is_not_set() {
    let world = World::start().await;
    let call = async |path: &str, headers: &[(&str, &str)], body: String| {
        world.client.send(Method::POST, path, headers, Some(body.into())).await
    };
    for path in ["/api/webhooks/sendgrid", "/api/webhooks/twilio/status", "/api/webhooks/twilio/inbound"] {
        let signed = [("x-twilio-signature", "abc="), ("cookie", "leadflow_session=nobody"), FORM];
        assert_eq!(call(path, &signed, "a=b".to_owned()).await.refused(409), "not_configured", "{path}");
        let twice = [("x-twilio-signature", "abc="), ("x-twilio-signature", "def=")];
        assert_eq!(call(path, &twice, String::new()).await.refused(400), "bad_signature", "{path}");
        let large = "x".repeat((1 << 20) + 1);
        assert_eq!(call(path, &[], large).await.refused(413), "body_too_large", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_buyers_choice_waits_until_it_is_known_whose_he_is() {
    let world = World::start().await;
    let (_, code) = world.seller("new").await;
    // Each at once after registering.
    for number in 0..5 {
        let buyer = world.buyer(&format!("new{number}"), &code).await;
        let body = json!({ "emailOnLead": false });
        let put = world.client.put("/api/notifications/preferences", &buyer.token, &body).await.ok(200);
        assert_eq!(put["preferences"]["emailOnLead"], false);
    }
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM notifier.preferences").fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 5);
}
