//! A buyer's webhooks and what was sent to them.

use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, id};

const LIST: &str = "/api/notifications/endpoints";
const DELIVERIES: &str = "/api/notifications/deliveries";

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_formed_tried_and_what_it_got_is_shown_and_sent_again() {
    let world = World::start().await;
    let client = &world.client;
    let (mine, theirs) = (world.tenant("hooks").await, world.tenant("others").await);
    let token = mine.buyer.token.as_str();
    let sandbox = &world.cluster.http_urls("sandbox")[0];
    let body = json!({
        "name": "CRM", "url": format!("{sandbox}/hooks/crm"), "events": ["lead.assigned", "lead.returned"],
        "headers": [{ "name": "X-Api-Key", "value": "k-123456" }],
        "auth": { "type": "BASIC", "user": "acme", "password": "open sesame" },
        "bodyTemplate": "{\"first\": \"{{ lead.firstName }}\", \"paid\": {{ lead.price }}}",
        "answer": {
            "rules": [{ "pointer": "/status", "equals": "dup", "means": "DUPLICATE" }, { "statuses": [409], "means": "REJECTED" }],
            "reasonPointer": "/reason",
        },
        "concurrency": 4,
    });
    let bearer = format!("Bearer {token}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "one")];
    let make = async || client.send(Method::POST, LIST, &headers, Some(body.to_string().into())).await;
    let made = make().await.ok(201);
    let webhook = id(&made, "endpoint");
    // The same request again makes no other.
    assert_eq!(make().await.ok(201), made);
    let shown = &made["endpoint"];
    assert_eq!(shown["headers"], json!([{ "name": "x-api-key", "value": "********" }]));
    assert_eq!(shown["auth"], json!({ "type": "BASIC", "user": "********", "password": "********", "token": null }));
    assert_eq!((&shown["contentType"], &shown["concurrency"]), (&json!("application/json"), &json!(4)));
    assert_eq!(shown["answer"]["rules"][0]["pointer"], "/status");
    let listed = client.get(LIST, token).await.ok(200);
    assert_eq!(listed["endpoints"], json!([shown]));
    assert_eq!(client.get(LIST, &theirs.buyer.token).await.ok(200)["endpoints"], json!([]));

    let one = format!("{LIST}/{webhook}");
    let tried = client.call(Method::POST, &format!("{one}/test"), token, None).await.ok(200);
    assert_eq!((&tried["success"], &tried["statusCode"], &tried["meaning"]), (&json!(true), &json!(200), &json!(null)));
    world.post_lead(&mine.api_key, &mine.campaign, 2).await;
    let when = async |what: &str, path: &str, token: &str, fits: fn(&Value) -> bool| {
        wait::until_some(what, PATIENCE, async || {
            let listed = client.get(path, token).await.ok(200);
            listed["deliveries"].as_array()?.first().filter(|delivery| fits(delivery)).cloned()
        })
        .await
    };
    let sent = when("it arrived", DELIVERIES, token, |delivery| delivery["status"] == "DELIVERED").await;
    assert_eq!(
        (&sent["event"], &sent["endpointId"], &sent["reason"]),
        (&json!("lead.assigned"), &json!(webhook), &json!(null))
    );
    let attempt = &sent["attempts"][0];
    assert_eq!((&attempt["number"], &attempt["statusCode"]), (&json!(1), &json!(200)));
    assert!(attempt["response"].is_string());
    // His seller sees all but what his system answered; another tenant nothing.
    let of_buyer = format!("/api/buyers/{}/deliveries", mine.buyer.user["buyerId"].as_str().unwrap());
    let seen = client.get(&of_buyer, &mine.seller.token).await.ok(200);
    assert_eq!(
        (&seen["deliveries"][0]["id"], &seen["deliveries"][0]["attempts"][0]["response"]),
        (&sent["id"], &json!(null))
    );
    assert_eq!(client.get(&of_buyer, &theirs.seller.token).await.refused(404), "buyer_not_found");
    let of_buyer = of_buyer.replace("deliveries", "endpoints");
    let seen = client.get(&of_buyer, &mine.seller.token).await.ok(200);
    let expected = json!([{
        "id": webhook, "name": "CRM", "place": sandbox, "enabled": true, "disabledReason": null, "failingSince": null,
        "events": ["lead.assigned", "lead.returned"],
    }]);
    assert_eq!(seen["endpoints"], expected);
    assert_eq!(client.get(&of_buyer, &theirs.seller.token).await.refused(404), "buyer_not_found");
    assert_eq!(client.get(&of_buyer, token).await.refused(403), "forbidden");
    let last = sent["id"].as_str().unwrap();
    let page = client.get(&format!("{DELIVERIES}?limit=1&after={last}"), token).await.ok(200);
    assert_eq!(page, json!({ "deliveries": [], "nextAfter": null }));
    client.get(&format!("{DELIVERIES}?limit=0"), token).await.refused(400);

    let again = format!("{DELIVERIES}/{last}/replay");
    assert_eq!(client.call(Method::POST, &again, &theirs.buyer.token, None).await.refused(404), "delivery_not_found");
    assert_eq!(client.call(Method::POST, &again, token, None).await.ok(200)["replayed"], 1);
    when("it arrived again", DELIVERIES, token, |delivery| {
        delivery["status"] == "DELIVERED" && delivery["attempts"].as_array().is_some_and(|all| all.len() == 2)
    })
    .await;
    let day = sent["createdAt"].as_str().unwrap();
    let range = format!("{one}/replay");
    let none = json!({ "from": day, "until": "2099-01-01T00:00:00Z" });
    assert!(client.post(&range, token, &none).await.body["fields"]["until"].is_string());
    for bad in [json!({ "from": "today", "until": day }), json!({ "from": day, "until": day, "after": "x" })] {
        client.post(&range, token, &bad).await.refused(422);
    }
    let audit = client.get("/api/audit", &mine.seller.token).await.ok(200);
    assert!(audit["entries"].as_array().unwrap().iter().any(|entry| entry["action"] == "webhook.replayed"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_webhook_is_named_and_versions_and_secrets_hold() {
    let world = World::start().await;
    let client = &world.client;
    let tenant = world.tenant("hooks").await;
    let token = tenant.buyer.token.as_str();
    let made = client.post(LIST, token, &json!({ "url": "http://127.0.0.1:9/hook" })).await.ok(201);
    let one = format!("{LIST}/{}", id(&made, "endpoint"));
    assert_eq!(made["endpoint"]["events"], json!(["lead.assigned"]));
    for (change, field) in [
        (json!({ "url": "http://10.0.0.1/" }), "url"),
        (json!({ "secret": "short" }), "secret"),
        (json!({ "bodyTemplate": "{\n{{ lead.x }" }), "bodyTemplate"),
        (json!({ "bodyTemplate": "x", "contentType": "text/xml" }), "contentType"),
        (json!({ "answer": { "rules": [{ "pointer": "x", "means": "REJECTED" }] } }), "answer"),
        (json!({ "auth": { "type": "BEARER" } }), "auth.token"),
        (json!({ "headers": [{ "name": "x-a", "value": "1" }, { "name": "X-A", "value": "2" }] }), "headers"),
        (json!({ "events": [] }), "events"),
        (json!({ "name": "x".repeat(101) }), "name"),
        (json!({ "concurrency": 5_000 }), "concurrency"),
    ] {
        let refused = client.put(&one, token, &change).await;
        assert!(refused.body["fields"][field].is_string(), "{change}: {}", refused.text);
        refused.refused(422);
    }
    let refused = client.put(&one, token, &json!({ "bodyTemplate": "{\n{{ lead.x }" })).await;
    assert!(refused.body["fields"]["bodyTemplate"].as_str().unwrap().starts_with("line 2: "), "{}", refused.text);
    client.put(&one, token, &json!({ "headers": [{ "name": "Host", "value": "x" }] })).await.refused(422);
    // Values are given for one host.
    client.put(&one, token, &json!({ "auth": { "type": "BEARER", "token": "t0k" } })).await.ok(200);
    let refused = client.put(&one, token, &json!({ "url": "http://127.0.0.1:10/hook" })).await;
    assert!(refused.body["message"].as_str().unwrap_or(&refused.text).contains("another host"), "{}", refused.text);
    refused.refused(422);
    client.put(&one, token, &json!({ "url": "http://127.0.0.1:10/hook", "auth": null })).await.ok(200);

    let rotated = client.post(&format!("{one}/rotate-secret"), token, &json!({})).await.ok(200);
    assert_ne!(rotated["endpoint"]["secret"], made["endpoint"]["secret"]);
    assert!(rotated["endpoint"]["oldSecretUntil"].is_string());
    let bearer = format!("Bearer {token}");
    let stale = [("authorization", bearer.as_str()), ("if-match", "\"1\"")];
    assert_eq!(client.send(Method::DELETE, &one, &stale, None).await.refused(412), "changed_meanwhile");
    // The preferences' one webhook is the first.
    let preferences = client.get("/api/notifications/preferences", token).await.ok(200);
    assert_eq!(preferences["preferences"]["webhookUrl"], "http://127.0.0.1:10/hook");
    for _ in 0..2 {
        assert_eq!(client.delete(&one, token).await.status, 204);
    }
    assert_eq!(client.put(&one, token, &json!({ "name": "x" })).await.refused(404), "endpoint_not_found");
    assert_eq!(client.get(LIST, token).await.ok(200)["endpoints"], json!([]));
    client.get(LIST, &tenant.seller.token).await.refused(403);

    // A request that made one and is repeated after that was deleted brings it back no more; another one makes another.
    let make = async |key: &str| {
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({ "url": "http://127.0.0.1:9/hook" }).to_string();
        client.send(Method::POST, LIST, &headers, Some(body.into())).await
    };
    let made = make("once").await.ok(201);
    client.delete(&format!("{LIST}/{}", id(&made, "endpoint")), token).await;
    assert_eq!(make("once").await.refused(409), "endpoint_deleted");
    assert_eq!(client.get(LIST, token).await.ok(200)["endpoints"], json!([]));
    make("another").await.ok(201);
    // The preferences' one webhook has no such id, and can be set again.
    let hook = json!({ "webhookUrl": "http://127.0.0.1:9/one", "webhookEnabled": true });
    let fresh = world.tenant("fresh").await;
    let one = async || {
        client.put("/api/notifications/preferences", &fresh.buyer.token, &hook).await.ok(200);
        let listed = client.get(LIST, &fresh.buyer.token).await.ok(200);
        listed["endpoints"][0]["id"].as_str().unwrap().to_owned()
    };
    let before = one().await;
    assert_eq!(client.delete(&format!("{LIST}/{before}"), &fresh.buyer.token).await.status, 204);
    assert_eq!(one().await, before);
}
