//! Changes of one record at the same time: nobody's are lost, and whoever wants to change what he saw is told that it is
//! another by now.

use futures::future::join_all;
use http::Method;
use leadflow_kernel::{CampaignId, CategoryId};
use leadflow_testkit::wait;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    client::{Answer, Client},
    world::{PATIENCE, World, id},
};

/// Sends all changes at once and keeps them from being written until each has read what is there: `lock` is the statement
/// that holds the row, of `row`, on which they wait.
async fn all_at_once(world: &World, lock: &'static str, row: Uuid, path: &str, token: &str, changes: &[Value]) {
    let pool = PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let mut holding = pool.begin().await.unwrap();
    sqlx::query(lock).bind(row).execute(&mut *holding).await.unwrap();
    let clients: Vec<_> = world.cluster.http_urls("bff").iter().map(|url| Client::new(url)).collect();
    let sending =
        join_all(changes.iter().enumerate().map(|(at, change)| clients[at % clients.len()].put(path, token, change)));
    let release = async {
        wait::until("every change waits", PATIENCE, async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'";
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap()
                == i64::try_from(changes.len()).unwrap()
        })
        .await;
        holding.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(sending, release);
    for answer in answers {
        answer.ok(200);
    }
}

#[track_caller]
fn has_all(record: &Value, changes: &[Value]) {
    for (name, wanted) in changes.iter().flat_map(|change| change.as_object().unwrap()) {
        if !["subscriptionId", "phoneNumber"].contains(&name.as_str()) {
            assert_eq!(&record[name], wanted, "{name} of {record}");
        }
    }
}

const CAMPAIGN: &str = "SELECT 1 FROM distribution.campaign_routing WHERE campaign_id = $1 FOR UPDATE";
const CATEGORY: &str = "SELECT 1 FROM distribution.categories WHERE category_id = $1 FOR UPDATE";
const WEBHOOK: &str = "SELECT 1 FROM notifier.endpoints WHERE buyer_id = $1 FOR UPDATE";

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_fields_at_once_are_all_there() {
    let world = World::replicated(2, &[]).await;
    let client = &world.client;
    let t = world.tenant("together").await;
    let (seller, buyer) = (&t.seller.token, &t.buyer.token);

    let path = format!("/api/campaigns/{}", t.campaign);
    let changes = [
        json!({ "name": "Texas" }),
        json!({ "description": "Of today" }),
        json!({ "pricePerLead": 30.5 }),
        json!({ "distributionLogic": "WATERFALL" }),
        json!({ "duplicateWindowDays": 7, "duplicateFields": ["email"] }),
        json!({ "leadExpiryHours": 5 }),
        json!({ "returns": { "days": 7, "maxSharePercentPerMonth": 50, "reasons": ["wrong_number"], "autoApprove": true, "countsOutOfCaps": false,
            "refusals": { "credited": true, "soldOn": true, "maxSharePercentPerMonth": 20 } } }),
    ];
    let row = t.campaign.parse::<CampaignId>().unwrap().uuid();
    all_at_once(&world, CAMPAIGN, row, &path, seller, &changes).await;
    let seen = client.get(&path, seller).await;
    assert_eq!(seen.headers["etag"], "\"8\"");
    has_all(&seen.ok(200)["campaign"], &changes);

    let changes = [
        json!({ "dailyCap": 3 }),
        json!({ "states": ["TX"] }),
        json!({ "waterfallPriority": 2 }),
        json!({ "status": "PAUSED" }),
    ];
    let with_id = |change: &Value| {
        let mut change = change.clone();
        change["subscriptionId"] = t.subscription.as_str().into();
        change
    };
    let changes = changes.each_ref().map(with_id);
    all_at_once(&world, CAMPAIGN, row, "/api/campaigns/subscribe", buyer, &changes).await;
    let seen = client.get(&path, seller).await.ok(200);
    has_all(&seen["campaign"]["subscriptions"][0], &changes);

    let path = format!("/api/categories/{}", t.category);
    let field = json!({ "name": "email", "type": "email", "required": true, "description": "Where to" });
    let changes = [json!({ "name": "Medicare" }), json!({ "fields": [field] })];
    let row = t.category.parse::<CategoryId>().unwrap().uuid();
    // (The campaign knows a lead again by its e-mail, which stays.)
    all_at_once(&world, CATEGORY, row, &path, seller, &changes).await;
    has_all(&client.get(&path, buyer).await.ok(200)["category"], &changes);

    let path = "/api/notifications/preferences";
    let sandbox = &world.cluster.http_urls("sandbox")[0];
    let first = json!({ "webhookUrl": format!("{sandbox}/hooks/first") });
    client.put(path, buyer, &first).await.ok(200);
    let changes = [
        json!({ "webhookUrl": format!("{sandbox}/hooks/second"), "phoneNumber": "+12125550123" }),
        json!({ "webhookEnabled": false }),
        json!({ "webhookSecret": "sixteen letters and more" }),
    ];
    let row = t.buyer.user["buyerId"].as_str().unwrap().parse::<leadflow_kernel::BuyerId>().unwrap().uuid();
    all_at_once(&world, WEBHOOK, row, path, buyer, &changes).await;
    let seen = client.get(path, buyer).await.ok(200);
    has_all(&seen["preferences"], &changes);
    assert_eq!(seen["preferences"]["phoneNumber"], "+12125550123");
}

/// Sends a change if what is there is still of this version.
async fn if_match(client: &Client, method: Method, path: &str, token: &str, tag: &str, body: Option<&Value>) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str()), ("if-match", tag)];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    client.send(method, path, &headers, body.map(|body| body.to_string().into())).await
}

fn etag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_what_he_saw_is_told_that_it_is_another_by_now() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("versions").await;
    let (seller, buyer) = (t.seller.token.as_str(), t.buyer.token.as_str());
    let buyer_id = t.buyer.user["buyerId"].as_str().unwrap();
    let hook = |name: &str| json!({ "webhookUrl": format!("{}/hooks/{name}", world.cluster.http_urls("sandbox")[0]) });
    for (path, token, changes) in [
        (format!("/api/categories/{}", t.category), seller, [json!({ "name": "A" }), json!({ "name": "B" })]),
        (format!("/api/campaigns/{}", t.campaign), seller, [json!({ "name": "A" }), json!({ "name": "B" })]),
        (format!("/api/buyers/{buyer_id}"), seller, [json!({ "priority": 8 }), json!({ "priority": 9 })]),
        (format!("/api/suppliers/{}", t.supplier), seller, [json!({ "name": "A" }), json!({ "name": "B" })]),
        ("/api/notifications/preferences".to_owned(), buyer, [hook("a"), hook("b")]),
    ] {
        let [first, second] = changes;
        let seen = etag(&client.get(&path, token).await);
        let changed = if_match(client, Method::PUT, &path, token, &seen, Some(&first)).await;
        let now = etag(&changed);
        changed.ok(200);
        assert_ne!(now, seen, "{path}");
        for stale in [seen.as_str(), &format!("W/{now}"), "\"unknown\""] {
            let late = if_match(client, Method::PUT, &path, token, stale, Some(&second)).await;
            assert_eq!(late.refused(412), "changed_meanwhile", "{path} {stale}");
        }
        let malformed = if_match(client, Method::PUT, &path, token, "7", Some(&second)).await;
        assert_eq!(malformed.refused(400), "if_match_invalid");
        let same = client.get(&path, token).await;
        assert_eq!(etag(&same), now, "nothing of what was refused is there");
        for fresh in [format!("{seen}, {now}"), "*".to_owned()] {
            if_match(client, Method::PUT, &path, token, &fresh, Some(&second)).await.ok(200);
        }
        if path.starts_with("/api/notifications") {
            continue;
        }
        let late = if_match(client, Method::DELETE, &path, token, &seen, None).await;
        assert_eq!(late.refused(412), "changed_meanwhile", "{path}");
    }
    let nobody = format!("/api/campaigns/{}", CampaignId::new());
    let unknown = if_match(client, Method::PUT, &nobody, seller, "\"1\"", Some(&json!({ "name": "A" }))).await;
    assert_eq!(unknown.refused(404), "campaign_not_found");

    // A subscription has no page of its own: its version comes with each change.
    let path = "/api/campaigns/subscribe";
    let change = |cap: u32| json!({ "subscriptionId": t.subscription, "dailyCap": cap });
    let changed = client.put(path, buyer, &change(4)).await;
    let seen = etag(&changed);
    if_match(client, Method::PUT, path, buyer, &seen, Some(&change(5))).await.ok(200);
    assert_eq!(
        if_match(client, Method::PUT, path, buyer, &seen, Some(&change(6))).await.refused(412),
        "changed_meanwhile"
    );
    let ended = format!("{path}?id={}", t.subscription);
    assert_eq!(if_match(client, Method::DELETE, &ended, buyer, &seen, None).await.refused(412), "changed_meanwhile");
    client.delete(&ended, buyer).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_repeat_of_a_creation_takes_no_change_back() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("repeats").await;
    let (seller, buyer) = (t.seller.token.as_str(), t.buyer.token.as_str());
    let send = async |token: &str, path: &str, body: &Value| {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k-1")];
        client.send(Method::POST, path, &headers, Some(body.to_string().into())).await
    };
    let other = world.campaign(&t.seller, &t.category).await;
    let campaign =
        json!({ "categoryId": t.category, "name": "A", "pricePerLead": 1, "distributionLogic": "BROADCAST" });
    for (token, list, record, body, another) in [
        (seller, "/api/categories", "category", json!({ "name": "A" }), json!({ "name": "C" })),
        (seller, "/api/campaigns", "campaign", campaign.clone(), json!({ "name": "C" })),
        (
            buyer,
            "/api/campaigns/subscribe",
            "subscription",
            json!({ "campaignId": other, "dailyCap": 1 }),
            json!({ "dailyCap": 3 }),
        ),
    ] {
        let made = id(&send(token, list, &body).await.ok(201), record);
        assert_eq!(id(&send(token, list, &body).await.ok(201), record), made);
        let mut different = body.clone();
        different.as_object_mut().unwrap().extend(another.as_object().unwrap().clone());
        assert_eq!(send(token, list, &different).await.refused(409), "idempotency_key_reused", "{list}");
        let (path, change) = match record {
            "subscription" => (list.to_owned(), json!({ "subscriptionId": made, "dailyCap": 2 })),
            _ => (format!("{list}/{made}"), json!({ "name": "B" })),
        };
        let changed = client.put(&path, token, &change).await.ok(200)[record].clone();
        assert_eq!(send(token, list, &body).await.ok(201)[record], changed, "{list}");
    }
}
