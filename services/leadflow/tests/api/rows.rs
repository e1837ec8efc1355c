//! The rows of the API's table: what each changes is seen afterwards. The form of every answer is checked by the client;
//! signing in has tests of its own.

use serde_json::{Value, json};

use crate::world::{World, id};

/// What is expected must be there, whatever else is.
#[track_caller]
fn has(value: &Value, expected: &Value) {
    for (name, wanted) in expected.as_object().unwrap() {
        assert_eq!(&value[name], wanted, "{name} of {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_and_campaigns_are_made_changed_listed_and_put_away() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("rows").await;
    let (seller, buyer) = (&t.seller.token, &t.buyer.token);

    let fields = json!([{ "name": "roof", "type": "select", "required": true, "description": "Which", "options": ["flat", "steep"] }]);
    let made = client.post("/api/categories", seller, &json!({ "name": "Solar", "fields": fields })).await.ok(201);
    let solar = id(&made, "category");
    let path = format!("/api/categories/{solar}");
    assert_eq!(client.get(&path, buyer).await.ok(200)["category"]["fields"], fields);
    let changed = client.put(&path, seller, &json!({ "name": "Solar roofs", "status": "PAUSED" })).await.ok(200);
    has(&changed["category"], &json!({ "name": "Solar roofs", "status": "PAUSED", "fields": fields }));
    let listed = client.get("/api/categories?limit=1", seller).await.ok(200);
    assert_eq!(listed["categories"].as_array().unwrap().len(), 1);
    let next = listed["nextAfter"].as_str().unwrap();
    let rest = client.get(&format!("/api/categories?limit=1&after={next}"), seller).await.ok(200);
    assert_ne!(rest["categories"][0]["id"], listed["categories"][0]["id"]);
    assert_eq!(client.delete(&path, seller).await.ok(200)["category"]["status"], "ARCHIVED");
    let left = client.get("/api/categories", seller).await.ok(200);
    assert_eq!(left["categories"].as_array().unwrap().len(), 1, "{left}");
    let needed = format!("/api/categories/{}", t.category);
    assert_eq!(client.delete(&needed, seller).await.refused(409), "category_in_use");

    let path = format!("/api/campaigns/{}", t.campaign);
    let change = json!({
        "name": "Texas", "pricePerLead": 30.5, "distributionLogic": "WATERFALL", "duplicateWindowDays": 7,
        "duplicateFields": ["email"], "duplicateMatch": "ALL", "leadExpiryHours": 5, "allowStateSelection": true,
    });
    has(&client.put(&path, seller, &change).await.ok(200)["campaign"], &change);
    let seen = client.get(&path, buyer).await.ok(200);
    has(&seen["campaign"], &change);
    assert_eq!(seen["campaign"]["_count"], json!({ "subscriptions": 1, "leads": 1 }));

    let change = json!({ "dailyCap": 3, "states": ["TX"], "waterfallPriority": 2, "status": "PAUSED" });
    let mut body = change.clone();
    body["subscriptionId"] = t.subscription.as_str().into();
    has(&client.put("/api/campaigns/subscribe", buyer, &body).await.ok(200)["subscription"], &change);
    let body = json!({ "subscriptionId": t.subscription, "dailyCap": null, "status": "ACTIVE" });
    let uncapped = client.put("/api/campaigns/subscribe", buyer, &body).await.ok(200);
    has(&uncapped["subscription"], &json!({ "dailyCap": null, "states": ["TX"], "status": "ACTIVE" }));
    let ended = client.delete(&format!("/api/campaigns/subscribe?id={}", t.subscription), buyer).await.ok(200);
    assert_eq!(ended["subscription"]["status"], "ARCHIVED");

    assert_eq!(client.put(&path, seller, &json!({ "status": "PAUSED" })).await.ok(200)["campaign"]["status"], "PAUSED");
    assert_eq!(client.get(&path, buyer).await.refused(404), "campaign_not_found");
    assert_eq!(client.get("/api/campaigns", buyer).await.ok(200)["campaigns"], json!([]));
    assert_eq!(client.delete(&path, seller).await.ok(200)["campaign"]["status"], "ARCHIVED");
    assert_eq!(client.get("/api/campaigns", seller).await.ok(200)["campaigns"], json!([]));
    let archived = client.get("/api/campaigns?status=ARCHIVED", seller).await.ok(200);
    assert_eq!(archived["campaigns"][0]["id"], t.campaign.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_and_suppliers_are_made_changed_and_put_out_of_use() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("people").await;
    let seller = &t.seller.token;

    let body =
        json!({ "companyName": "By hand", "priority": 9, "weeklySpendingLimit": 50, "monthlySpendingLimit": 150.5 });
    let made = client.post("/api/buyers", seller, &body).await.ok(201);
    has(&made["buyer"], &body_as_read(&body));
    has(&made["buyer"], &json!({ "status": "ACTIVE", "user": null }));
    let path = format!("/api/buyers/{}", id(&made, "buyer"));
    let change = json!({ "companyName": "Renamed", "priority": 2, "weeklySpendingLimit": null });
    has(&client.put(&path, seller, &change).await.ok(200)["buyer"], &change);
    let shown = client.get(&path, seller).await.ok(200);
    has(&shown["buyer"], &json!({ "companyName": "Renamed", "monthlySpendingLimit": 150.5 }));
    assert_eq!(client.delete(&path, seller).await.ok(200)["buyer"]["status"], "INACTIVE");
    let back = client.put(&path, seller, &json!({ "status": "ACTIVE" })).await.ok(200);
    assert_eq!(back["buyer"]["status"], "ACTIVE");
    let buyers = client.get("/api/buyers", seller).await.ok(200);
    assert_eq!(buyers["buyers"].as_array().unwrap().len(), 2);
    let himself = format!("/api/buyers/{}", t.buyer.user["buyerId"].as_str().unwrap());
    let shown = client.get(&himself, &t.buyer.token).await.ok(200);
    assert_eq!(shown["buyer"]["user"]["email"], t.buyer.email.as_str());
    assert_eq!(client.get(&path, &t.buyer.token).await.refused(404), "buyer_not_found");

    let path = format!("/api/suppliers/{}", t.supplier);
    let change = json!({ "name": "Clicks Ltd", "categories": [], "postsPerSecond": 20 });
    has(&client.put(&path, seller, &change).await.ok(200)["supplier"], &change);
    let rotated = client.post(&format!("{path}/rotate-key"), seller, &json!({})).await.ok(200);
    assert_eq!(rotated["supplier"]["keys"].as_array().unwrap().len(), 2);
    assert!(rotated["apiKey"].as_str().unwrap().starts_with("sk_"));
    assert_eq!(client.delete(&path, seller).await.ok(200)["supplier"]["status"], "INACTIVE");
    let listed = client.get("/api/suppliers", seller).await.ok(200);
    has(&listed["suppliers"][0], &json!({ "name": "Clicks Ltd", "status": "INACTIVE", "leadsDelivered": 1 }));
}

/// Money is answered with its decimals.
fn body_as_read(body: &Value) -> Value {
    let mut read = body.clone();
    read["weeklySpendingLimit"] = json!(50.0);
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_are_found_and_counted_by_what_is_asked_for() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("found").await;
    let (seller, buyer) = (&t.seller.token, &t.buyer.token);
    let another = world.category(&t.seller, "Another").await;
    for (token, query, wanted) in [
        (seller, "status=DISTRIBUTED".to_owned(), 1),
        (seller, "status=UNSOLD".to_owned(), 0),
        (seller, format!("category={}", t.category), 1),
        (seller, format!("category={another}"), 0),
        (seller, "endDate=2020-01-01".to_owned(), 0),
        (buyer, "startDate=2020-01-01&endDate=2120-01-01".to_owned(), 1),
        (buyer, "startDate=2120-01-01".to_owned(), 0),
        (buyer, format!("category={}&page=1&limit=1", t.category), 1),
        (buyer, "page=2&limit=1".to_owned(), 0),
        (buyer, "status=ASSIGNED".to_owned(), 0),
        (buyer, "status=VIEWED".to_owned(), 1),
    ] {
        let found = client.get(&format!("/api/leads?{query}"), token).await.ok(200);
        assert_eq!(found["leads"].as_array().unwrap().len(), wanted, "{query}: {found}");
    }
    for (token, kinds) in [
        (seller, ["overview", "revenue", "buyers", "suppliers"].as_slice()),
        (buyer, &["overview", "spending", "leads"]),
    ] {
        for kind in kinds {
            let report = client.get(&format!("/api/reports?type={kind}&days=2"), token).await.ok(200);
            has(&report["overview"], &json!({ "sold": 1, "assignments": 1, "amount": 25.0 }));
            assert_eq!((&report["type"], report["rows"].as_array().unwrap().len()), (&json!(kind), 1), "{report}");
            assert!(!report["days"].as_array().unwrap().is_empty(), "{report}");
        }
    }
}
