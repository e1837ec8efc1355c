//! Answers that are no success: their form, and that none of them is our fault.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_is_answered_with_what_is_wrong_with_it() {
    let world = World::start().await;
    let client = &world.client;
    let tenant = world.tenant("errors").await;
    let (seller, buyer) = (&tenant.seller.token, &tenant.buyer.token);

    let bearer = format!("Bearer {seller}");
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "", 400),
        ("application/json", "[]", 422),
        ("text/plain", "{}", 415),
        ("application/json", "{\"name\": \"a\\u0000\"}", 422),
    ] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        client.send(Method::POST, "/api/categories", &headers, Some(Bytes::from(body))).await.refused(status);
    }
    let large = json!({ "name": "x".repeat(300 * 1024) });
    assert_eq!(client.post("/api/categories", seller, &large).await.refused(413), "body_too_large");

    let campaign = |change: Value| {
        let mut body = json!({
            "categoryId": tenant.category, "name": "C", "pricePerLead": 25, "distributionLogic": "ROUND_ROBIN",
        });
        for (name, value) in change.as_object().unwrap() {
            body[name.as_str()] = value.clone();
        }
        body
    };
    for (change, field) in [
        (json!({ "pricePerLead": -5 }), "pricePerLead"),
        (json!({ "pricePerLead": "25" }), "pricePerLead"),
        (json!({ "pricePerLead": 1.005 }), "pricePerLead"),
        (json!({ "pricePerLead": 1e300 }), "pricePerLead"),
        (json!({ "distributionLogic": "RANDOM" }), "distributionLogic"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "duplicateWindowDays": 100000 }), "duplicateWindowDays"),
        (json!({ "leadExpiryHours": -1 }), "leadExpiryHours"),
    ] {
        let answer = client.post("/api/campaigns", seller, &campaign(change.clone())).await;
        assert!(answer.body["fields"][field].is_string(), "{change}: {}", answer.text);
        answer.refused(422);
    }
    for (path, body, token, status) in [
        ("/api/campaigns", campaign(json!({ "categoryId": "cat_00000000000000000000000000" })), seller, 404),
        ("/api/campaigns/subscribe", json!({ "campaignId": "nonsense" }), buyer, 404),
        ("/api/campaigns/subscribe", json!({ "campaignId": tenant.campaign }), buyer, 409),
        ("/api/campaigns/subscribe", json!({ "campaignId": tenant.campaign, "states": ["XX"] }), buyer, 422),
        ("/api/suppliers", json!({ "name": "S", "categories": ["nonsense"] }), seller, 422),
        ("/api/buyers", json!({ "companyName": "B", "priority": 11 }), seller, 422),
        ("/api/buyers", json!({ "companyName": "B", "priority": 0 }), seller, 422),
        ("/api/buyers", json!({ "companyName": "B", "email": "b@x.example", "weeklySpendingLimit": -1 }), seller, 422),
        ("/api/categories", json!({ "name": "Medicare Supplement" }), seller, 409),
    ] {
        client.post(path, token, &body).await.refused(status);
    }
    // Of a buyer who was refused for his limit nothing was made.
    let body = json!({ "companyName": "B", "email": "b@x.example", "weeklySpendingLimit": 1 });
    client.post("/api/buyers", seller, &body).await.ok(201);
    let buyer_id = tenant.buyer.user["buyerId"].as_str().unwrap();
    for (amount, status) in
        [(json!(0), 422), (json!(-1), 422), (json!("100"), 422), (json!(1e12), 422), (json!(1), 201)]
    {
        let body = json!({ "amount": amount, "reason": "r" });
        let answer = client.post(&format!("/api/buyers/{buyer_id}/credits"), seller, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{amount}: {}", answer.text);
    }
    for (path, token, status) in [
        ("/api/campaigns/nonsense", seller, 404),
        ("/api/campaigns/camp_00000000000000000000000000", seller, 404),
        ("/api/campaigns?limit=0", seller, 400),
        ("/api/campaigns?limit=201", seller, 400),
        ("/api/campaigns?limit=x", seller, 400),
        ("/api/campaigns?after=x", seller, 400),
        ("/api/campaigns?status=SLEEPING", seller, 400),
        ("/api/leads?status=VIEWED", seller, 400),
        ("/api/leads?status=DISTRIBUTED", buyer, 400),
        ("/api/leads?page=0", seller, 400),
        ("/api/leads?page=1000000", seller, 400),
        ("/api/leads?startDate=yesterday", seller, 400),
        ("/api/leads?startDate=2026-11-02&endDate=2026-11-01", seller, 400),
        ("/api/leads/lead_00000000000000000000000000", buyer, 404),
        ("/api/reports?type=everything", seller, 400),
        ("/api/reports?type=spending", seller, 400),
        ("/api/reports?type=revenue", buyer, 400),
        ("/api/reports?days=0", seller, 400),
        ("/api/reports?startDate=2020-01-01&endDate=2026-01-01", seller, 400),
        ("/api/categories?after=%00", seller, 400),
        ("/api/nothing", seller, 404),
    ] {
        client.get(path, token).await.refused(status);
    }
    // Leads are listed once they are decided.
    let pending = client.get("/api/leads?status=PENDING", seller).await.ok(200);
    assert_eq!((&pending["leads"], &pending["pagination"]["total"]), (&json!([]), &json!(0)));
    let refused =
        client.put("/api/notifications/preferences", buyer, &json!({ "webhookUrl": "http://10.0.0.1/" })).await;
    assert!(refused.body["fields"]["webhookUrl"].is_string(), "{}", refused.text);
    refused.refused(422);
}
