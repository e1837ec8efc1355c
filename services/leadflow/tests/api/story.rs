//! "Testing the System", step by step, through HTTP alone.

use leadflow_testkit::{
    books::{self, Expectations},
    wait,
};
use serde_json::json;

use crate::world::{PATIENCE, World, id};

#[tokio::test(flavor = "multi_thread")]
async fn from_registering_to_the_delivered_and_paid_lead() {
    // As `make up` has it, so that the chapter's own password is taken.
    let world = World::with(&[("PASSWORD_RULES", "demo")]).await;
    let client = &world.client;
    let as_written = json!({
        "email": "seller@test.com", "password": "password123", "name": "Test Seller", "role": "SELLER",
        "companyName": "Test Company",
    });
    let registered = client.post("/api/auth/register", "", &as_written).await.ok(201);
    assert!(registered["user"]["inviteCode"].as_str().is_some_and(|code| code.len() == 10), "{registered}");

    // 1-3: a seller, the invite code, a buyer.
    let (seller, code) = world.seller("story").await;
    let invited = client.get(&format!("/api/auth/verify-invite?code={code}"), "").await.ok(200);
    assert_eq!(invited, json!({ "valid": true, "seller": { "companyName": "story Ltd" } }));
    let shown = client.get("/api/auth/invite-code", &seller.token).await.ok(200);
    assert_eq!(shown["inviteCode"], code.as_str());
    let buyer = world.buyer("story", &code).await;
    let buyer_id = buyer.user["buyerId"].as_str().unwrap().to_owned();

    // 4-6: category, campaign, subscription.
    let category = world.category(&seller, "Medicare Supplement").await;
    let campaign = world.campaign(&seller, &category).await;
    let known = client.get("/api/campaigns", &buyer.token).await.ok(200);
    assert_eq!(known["campaigns"][0]["id"], campaign.as_str());
    assert_eq!(known["campaigns"][0]["pricePerLead"], json!(25.0));
    assert_eq!(known["campaigns"][0]["category"]["name"], "Medicare Supplement");
    let subscription = world.subscribe(&buyer, &campaign).await;
    let seen = client.get(&format!("/api/campaigns/{campaign}"), &seller.token).await.ok(200);
    assert_eq!(seen["campaign"]["subscriptions"][0]["id"], subscription.as_str());
    assert_eq!(seen["campaign"]["_count"]["subscriptions"], 1);

    // 7: funds; the webhook at which leads shall arrive.
    world.credit(&seller, &buyer_id, 100).await;
    let sandbox = world.cluster.http_urls("sandbox")[0].clone();
    let wanted = json!({ "webhookEnabled": true, "webhookUrl": format!("{sandbox}/hooks/story"), "phoneNumber": "+12125550123" });
    let preferences = client.put("/api/notifications/preferences", &buyer.token, &wanted).await.ok(200);
    assert!(preferences["preferences"]["webhookSecret"].as_str().is_some_and(|secret| !secret.is_empty()));
    let preferences = client.get("/api/notifications/preferences", &buyer.token).await.ok(200);
    assert_eq!(preferences["preferences"]["phoneNumber"], "+12125550123");

    let sample =
        client.call(http::Method::POST, "/api/notifications/preferences/test-webhook", &buyer.token, None).await;
    let sample = sample.ok(200);
    assert_eq!((&sample["success"], &sample["statusCode"]), (&json!(true), &json!(200)), "{sample}");

    // 8: a lead.
    let (supplier, key) = world.supplier(&seller, &category).await;
    let posted = world.post_lead(&key, &campaign, 1).await;
    let lead = posted["leadId"].as_str().unwrap().to_owned();
    let headers = [("x-api-key", key.as_str())];
    let path = format!("/api/leads/ingest/{lead}");
    let decided = wait::until_some("the lead is sold", PATIENCE, async || {
        let answer = client.send(http::Method::GET, &path, &headers, None).await.ok(200);
        (answer["distributed"] == true).then_some(answer)
    })
    .await;
    assert_eq!(decided["price"], json!(25.0));

    // 9: the buyer's lead, the wallet, the notification; the seller's and the supplier's side.
    let mine = wait::until_some("the webhook arrived", PATIENCE, async || {
        let leads = client.get("/api/leads", &buyer.token).await.ok(200);
        (leads["leads"][0]["status"] == "DELIVERED").then_some(leads)
    })
    .await;
    assert_eq!(mine["leads"][0]["id"], lead.as_str());
    assert_eq!(mine["leads"][0]["data"]["firstName"], "John");
    assert_eq!(mine["pagination"], json!({ "page": 1, "limit": 50, "total": 1, "pages": 1 }));
    let opened = client.get(&format!("/api/leads/{lead}"), &buyer.token).await.ok(200);
    assert_eq!(opened["lead"]["status"], "VIEWED");
    let paid = wait::until_some("the lead is paid", PATIENCE, async || {
        let wallet = client.get("/api/payments/wallet", &buyer.token).await.ok(200);
        (wallet["held"] == json!(0.0)).then_some(wallet)
    })
    .await;
    assert_eq!((&paid["balance"], &paid["available"]), (&json!(75.0), &json!(75.0)));
    assert_eq!(paid["transactions"][0]["type"], "LEAD_PURCHASE");
    assert_eq!(paid["transactions"][0]["amount"], json!(-25.0));
    assert_eq!(paid["transactions"][1]["description"], "bank transfer");
    let sold = client.get(&format!("/api/leads/{lead}"), &seller.token).await.ok(200);
    assert_eq!(sold["lead"]["status"], "DISTRIBUTED");
    assert_eq!(sold["lead"]["assignments"][0]["buyerId"], buyer_id.as_str());
    assert!(sold["lead"]["explanation"].as_array().is_some_and(|lines| !lines.is_empty()));
    let buyers = client.get("/api/buyers", &seller.token).await.ok(200);
    assert_eq!(buyers["buyers"][0]["stats"]["spent"], json!(25.0));
    assert_eq!(buyers["buyers"][0]["user"]["email"], buyer.email.as_str());
    let suppliers = client.get(&format!("/api/suppliers/{supplier}"), &seller.token).await.ok(200);
    assert_eq!(suppliers["supplier"]["leadsDelivered"], 1);
    let report = client.get("/api/reports?type=revenue&days=7", &seller.token).await.ok(200);
    assert_eq!((&report["overview"]["sold"], &report["overview"]["amount"]), (&json!(1), &json!(25.0)));
    assert_eq!(report["rows"][0]["name"], "Medicare Leads - California");
    let spending = client.get("/api/reports?type=spending", &buyer.token).await.ok(200);
    assert_eq!(spending["overview"]["amount"], json!(25.0));

    // Leaving takes nothing away.
    client.delete(&format!("/api/campaigns/subscribe?id={subscription}"), &buyer.token).await.ok(200);
    client.delete(&format!("/api/campaigns/{campaign}"), &seller.token).await.ok(200);
    client.delete(&format!("/api/buyers/{buyer_id}"), &seller.token).await.ok(200);
    let leads = client.get("/api/leads", &seller.token).await.ok(200);
    assert_eq!(leads["leads"][0]["assignments"][0]["price"], json!(25.0));
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    books::wait_until_settled(&pool, &[lead.parse().unwrap()], PATIENCE).await.unwrap();
    let report = books::check(&pool, &Expectations::settled()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_is_done_once() {
    let world = World::start().await;
    let client = &world.client;
    let (seller, code) = world.seller("twice").await;
    let buyer = world.buyer("twice", &code).await;
    let buyer_id = buyer.user["buyerId"].as_str().unwrap();
    let bearer = format!("Bearer {}", seller.token);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k-1")];
    let send = async |path: &str, body: serde_json::Value| {
        client.send(http::Method::POST, path, &headers, Some(body.to_string().into())).await
    };
    let category = json!({ "name": "Solar", "fields": [] });
    let made = id(&send("/api/categories", category.clone()).await.ok(201), "category");
    assert_eq!(id(&send("/api/categories", category).await.ok(201), "category"), made);
    let path = format!("/api/buyers/{buyer_id}/credits");
    let credit = json!({ "amount": 10.5, "reason": "cheque" });
    for _ in 0..3 {
        assert_eq!(send(&path, credit.clone()).await.ok(201)["wallet"]["balance"], json!(10.5));
    }
    let other = json!({ "amount": 11, "reason": "cheque" });
    assert_eq!(send(&path, other).await.refused(409), "credit_exists");

    // Two at once: one of them is the subscription, and the other is told so.
    let campaign = world.campaign(&seller, &made).await;
    let body = json!({ "campaignId": campaign });
    let subscribe = || client.post("/api/campaigns/subscribe", &buyer.token, &body);
    let (a, b) = tokio::join!(subscribe(), subscribe());
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", a.text, b.text);
    // And two sellers with one e-mail.
    let body = json!({
        "email": "Race@Seller.example", "password": crate::world::PASSWORD, "name": "R", "role": "SELLER", "companyName": "R",
    });
    let register = || client.post("/api/auth/register", "", &body);
    let (a, b) = tokio::join!(register(), register());
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", a.text, b.text);
}
