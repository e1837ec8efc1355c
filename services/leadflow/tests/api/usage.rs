//! Messages that are sent for a seller: counted, shown to him, and priced by administrators.

use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// The report's line of a kind.
fn line<'a>(report: &'a Value, kind: &str) -> Option<&'a Value> {
    report["months"].as_array().unwrap().iter().find(|month| month["kind"] == kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_in_the_sellers_report_and_what_it_costs_is_an_administrators_choice() {
    let world = World::with(&[("USAGE_WEBHOOK_COST", "EUR 0.5, USD 0.0006"), ("USAGE_SMS_COST", "EUR 0.0079")]).await;
    let client = &world.client;
    let (mine, theirs) = (world.tenant("sender").await, world.tenant("silent").await);
    let admin = world.admin("ada@platform.example").await;
    let seller_id = mine.seller.user["sellerId"].as_str().unwrap();
    let path = format!("/api/admin/sellers/{seller_id}/usage-terms");
    let term = |answer: &Value, kind: &str| {
        answer["terms"].as_array().unwrap().iter().find(|term| term["kind"] == kind).unwrap().clone()
    };
    let usual = client.get(&path, &admin.token).await.ok(200);
    // There is no price in dollars, which is not a price of nothing.
    assert_eq!(term(&usual, "SMS"), json!({ "kind": "SMS", "cost": null, "markupPercent": 20, "usual": true }));
    assert_eq!(usual["currency"], "USD");
    assert_eq!(term(&usual, "WEBHOOK")["markupPercent"], 0);
    let chosen =
        client.put(&path, &admin.token, &json!({ "webhookMarkupPercent": 12.5, "smsMarkupPercent": null })).await;
    let wanted = json!({ "kind": "WEBHOOK", "cost": 0.0006, "markupPercent": 12.5, "usual": false });
    assert_eq!(term(&chosen.ok(200), "WEBHOOK"), wanted);
    assert_eq!(term(&client.get(&path, &admin.token).await.ok(200), "WEBHOOK"), wanted);
    for bad in [json!(-1), json!(1000), json!("12"), json!(0.00001), json!(true)] {
        let body = json!({ "emailMarkupPercent": bad });
        let refused = client.put(&path, &admin.token, &body).await;
        assert!(refused.body["fields"]["emailMarkupPercent"].is_string(), "{}", refused.text);
        assert_eq!(refused.refused(422), "validation_failed");
    }
    let nobody = "/api/admin/sellers/seller_00000000000000000000000000/usage-terms";
    assert_eq!(client.get(nobody, &admin.token).await.refused(404), "seller_not_found");
    assert_eq!(client.put(nobody, &admin.token, &json!({})).await.refused(404), "seller_not_found");
    client.put(&path, &mine.seller.token, &json!({})).await.refused(403);
    let audit = client.get("/api/audit", &mine.seller.token).await.ok(200);
    let entry = audit["entries"].as_array().unwrap().iter().find(|entry| entry["action"] == "usage.terms_set");
    assert_eq!(entry.unwrap()["actor"], json!({ "userId": admin.user["id"], "role": "ADMIN" }), "{audit}");

    let sandbox = &world.cluster.http_urls("sandbox")[0];
    let preferences = json!({ "webhookEnabled": true, "webhookUrl": format!("{sandbox}/hooks/usage") });
    client.put("/api/notifications/preferences", &mine.buyer.token, &preferences).await.ok(200);
    for number in 2..4 {
        world.post_lead(&mine.api_key, &mine.campaign, number).await;
    }
    let report = wait::until_some("two webhooks are counted", PATIENCE, async || {
        let report = client.get("/api/reports?type=usage", &mine.seller.token).await.ok(200);
        line(&report, "WEBHOOK").is_some_and(|line| line["messages"] == 2).then_some(report)
    })
    .await;
    let webhooks = line(&report, "WEBHOOK").unwrap();
    for (name, wanted) in [
        ("units", json!(2)),
        ("unpriced", json!(0)),
        ("base", json!(0.0012)),
        ("markup", json!(0.00015)),
        ("total", json!(0.00135)),
        ("posted", json!(0)),
    ] {
        assert_eq!(webhooks[name], wanted, "{name}: {report}");
    }
    let rows = report["rows"].as_array().unwrap();
    let buyer = rows.iter().find(|row| row["id"] == mine.buyer.user["buyerId"]).unwrap();
    // He is told of his leads by mail, too.
    assert_eq!(buyer["name"], json!("sender Inc"), "{report}");
    assert!(buyer["messages"].as_u64().is_some_and(|messages| messages >= 2), "{report}");
    assert_eq!((&report["type"], &report["currency"]), (&json!("usage"), &json!("USD")));
    assert_eq!(report["postings"], json!([]));
    // Mails to sign in are the tenant's own.
    wait::until("mails are counted", PATIENCE, async || {
        let report = client.get("/api/reports?type=usage", &theirs.seller.token).await.ok(200);
        assert!(line(&report, "WEBHOOK").is_none(), "{report}");
        line(&report, "EMAIL").is_some()
    })
    .await;
    let past = client.get("/api/reports?type=usage&startDate=2020-01-01&endDate=2020-02-01", &mine.seller.token).await;
    assert_eq!(past.ok(200)["overview"]["messages"], 0);
    client.get("/api/reports?type=usage", &mine.buyer.token).await.refused(400);
    client.get("/api/reports?type=usage&days=0", &mine.seller.token).await.refused(400);
}
