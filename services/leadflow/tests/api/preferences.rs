//! What buyers choose to be told, and how.

use http::Method;
use serde_json::{Value, json};

use crate::{
    client::Answer,
    world::{Person, World},
};

const PATH: &str = "/api/notifications/preferences";

async fn pair(world: &World, name: &str) -> (Person, Person) {
    let (seller, code) = world.seller(name).await;
    let buyer = world.buyer(name, &code).await;
    (seller, buyer)
}

async fn put_for(world: &World, buyer: &Person, tag: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", buyer.token);
    let headers = [("authorization", bearer.as_str()), ("if-match", tag), ("content-type", "application/json")];
    world.client.send(Method::PUT, PATH, &headers, Some(body.to_string().into())).await
}

fn etag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_at_once_is_kept_and_shown_and_what_is_not_given_stays() {
    let world = World::start().await;
    let (_, buyer) = pair(&world, "wishes").await;
    let usual = world.client.get(PATH, &buyer.token).await.ok(200)["preferences"].clone();
    assert_eq!(
        usual,
        json!({
            "emailOnLead": true, "smsOnLead": false, "smsOnLowBalance": false, "emailOnReturn": true,
            "emailNotifications": { "lowBalance": true, "dailySummary": false },
            "phoneNumber": "", "smsStopped": false, "quietHours": null, "timeZone": null,
            "webhookEnabled": false, "webhookUrl": null, "webhookSecret": null,
        })
    );
    let hook = format!("{}/hooks/wishes", world.cluster.http_urls("sandbox")[0]);
    let wanted = json!({
        "emailOnLead": false, "smsOnLead": true, "smsOnLowBalance": true, "emailOnReturn": false,
        "emailNotifications": { "lowBalance": false, "dailySummary": true },
        "phoneNumber": "+1 (212) 555-0123", "quietHours": { "from": "22:00", "until": "07:30" },
        "timeZone": "America/Los_Angeles", "webhookUrl": hook, "webhookSecret": "sixteen letters and more",
    });
    let answer = world.client.put(PATH, &buyer.token, &wanted).await;
    let tag = etag(&answer);
    let mut all = wanted;
    all["phoneNumber"] = json!("+12125550123");
    all["webhookEnabled"] = json!(true);
    all["smsStopped"] = json!(false);
    assert_eq!(answer.ok(200)["preferences"], all);
    let seen = world.client.get(PATH, &buyer.token).await;
    assert_eq!(etag(&seen), tag);
    assert_eq!(seen.ok(200)["preferences"], all);

    let change = json!({ "quietHours": null, "timeZone": null, "emailNotifications": { "lowBalance": true } });
    let changed = world.client.put(PATH, &buyer.token, &change).await.ok(200);
    all["quietHours"] = Value::Null;
    all["timeZone"] = Value::Null;
    all["emailNotifications"] = json!({ "lowBalance": true, "dailySummary": true });
    assert_eq!(changed["preferences"], all);
    // Without a number he is sent none, but keeps what he chose.
    let changed = world.client.put(PATH, &buyer.token, &json!({ "phoneNumber": "" })).await.ok(200);
    all["phoneNumber"] = json!("");
    assert_eq!(changed["preferences"], all);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_changes_nothing_of_the_rest() {
    let world = World::start().await;
    let (_, buyer) = pair(&world, "refused").await;
    let before = world.client.get(PATH, &buyer.token).await;
    let tag = etag(&before);
    let before = before.ok(200);
    let hook = format!("{}/hooks/refused", world.cluster.http_urls("sandbox")[0]);
    for (field, part) in [
        ("phoneNumber", json!({ "phoneNumber": "12", "webhookUrl": hook })),
        ("smsOnLead", json!({ "smsOnLead": true, "webhookUrl": hook, "emailOnLead": false })),
        ("smsOnLowBalance", json!({ "smsOnLowBalance": true, "phoneNumber": "", "webhookUrl": hook })),
        ("quietHours.from", json!({ "quietHours": { "from": "24:00", "until": "07:00" }, "webhookUrl": hook })),
        ("quietHours.until", json!({ "quietHours": { "from": "22:00", "until": "22:00" }, "webhookUrl": hook })),
        ("quietHours.until", json!({ "quietHours": { "from": "22:00" }, "webhookUrl": hook })),
        ("timeZone", json!({ "timeZone": "Mars", "webhookUrl": hook, "phoneNumber": "+12125550123" })),
        ("webhookUrl", json!({ "webhookEnabled": true, "emailOnLead": false })),
        (
            "webhookUrl",
            json!({ "webhookUrl": "http://10.0.0.1/", "emailOnLead": false, "phoneNumber": "+12125550123" }),
        ),
        ("webhookSecret", json!({ "webhookUrl": hook, "webhookSecret": "short", "emailOnLead": false })),
    ] {
        let refused = world.client.put(PATH, &buyer.token, &part).await;
        assert!(refused.body["fields"][field].is_string(), "{part}: {}", refused.text);
        assert_eq!(refused.refused(422), "validation_failed", "{part}");
        let after = world.client.get(PATH, &buyer.token).await;
        assert_eq!(etag(&after), tag, "{part}");
        assert_eq!(after.ok(200), before, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_covers_the_webhook_and_the_rest() {
    let world = World::start().await;
    let (_, buyer) = pair(&world, "versions").await;
    let hook = |name: &str| json!({ "webhookUrl": format!("{}/hooks/{name}", world.cluster.http_urls("sandbox")[0]) });
    let mut tags = vec![etag(&world.client.get(PATH, &buyer.token).await)];
    for change in [json!({ "emailOnLead": false }), hook("a"), json!({ "emailOnLead": true }), hook("b")] {
        for stale in &tags[..tags.len() - 1] {
            assert_eq!(put_for(&world, &buyer, stale, &change).await.refused(412), "changed_meanwhile");
        }
        let changed = put_for(&world, &buyer, tags.last().unwrap(), &change).await;
        let tag = etag(&changed);
        changed.ok(200);
        assert!(!tags.contains(&tag), "{tag} again");
        tags.push(tag);
    }
    // The same again is no change.
    let same = world.client.put(PATH, &buyer.token, &json!({ "emailOnLead": true })).await;
    assert_eq!(&etag(&same), tags.last().unwrap());
}
