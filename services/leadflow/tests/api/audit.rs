//! Who changed what, of all services together.

use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

fn actions(audit: &Value) -> Vec<String> {
    let entries = audit["entries"].as_array().unwrap_or_else(|| panic!("{audit}"));
    entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_reads_every_change_of_his_tenant_newest_first() {
    let mut world = World::start().await;
    let tenant = world.tenant("audited").await;
    let (other, _) = world.seller("quiet").await;
    let client = &world.client;
    let owner = &tenant.seller;
    let manager = world.member(owner, "mia@audited.example", "MANAGER").await;
    let buyer = tenant.buyer.user["buyerId"].as_str().unwrap();
    let limits = json!({ "weeklySpendingLimit": 500 });
    client.put(&format!("/api/buyers/{buyer}"), &manager.token, &limits).await.ok(200);
    let price = json!({ "pricePerLead": 30 });
    client.put(&format!("/api/campaigns/{}", tenant.campaign), &manager.token, &price).await.ok(200);
    let url = format!("{}/hooks/a-token", world.cluster.http_urls("sandbox")[0]);
    let webhook = json!({ "webhookUrl": url, "webhookSecret": "sixteen letters and more" });
    client.put("/api/notifications/preferences", &tenant.buyer.token, &webhook).await.ok(200);
    client.delete(&format!("/api/campaigns/subscribe?id={}", tenant.subscription), &tenant.buyer.token).await.ok(200);
    let audit = client.get("/api/audit?limit=200", &owner.token).await.ok(200);
    assert_eq!(audit["missing"], json!([]));
    let told = actions(&audit);
    for action in [
        "seller.created",
        "user.registered",
        "buyer.created",
        "category.created",
        "campaign.created",
        "subscription.created",
        "wallet.credited",
        "supplier.created",
        "api_key.created",
        "user.invited",
        "user.joined",
        "user.logged_in",
    ] {
        assert!(told.iter().any(|one| one == action), "{action}: {told:?}");
    }
    assert_eq!(told[..4], ["subscription.archived", "webhook.created", "campaign.updated", "buyer.updated"]);
    let entries = audit["entries"].as_array().unwrap();
    assert!(entries.is_sorted_by(|a, b| a["at"].as_str() >= b["at"].as_str()), "{audit}");
    let by = |person: &crate::world::Person, role: &str| json!({ "userId": person.user["id"], "role": role });
    assert_eq!((&entries[0]["actor"], &entries[0]["service"]), (&by(&tenant.buyer, "BUYER"), &json!("distribution")));
    assert_eq!((&entries[1]["actor"], &entries[1]["service"]), (&by(&tenant.buyer, "BUYER"), &json!("notifier")));
    assert_eq!(entries[1]["after"]["enabled"], json!(true));
    let change = &entries[2];
    assert_eq!((&change["actor"], &change["subjectId"]), (&by(&manager, "MANAGER"), &json!(tenant.campaign)));
    assert_eq!(
        (&change["before"]["pricePerLead"], &change["after"]["pricePerLead"]),
        (&json!("25.00"), &json!("30.00"))
    );
    assert_eq!(
        (&entries[3]["service"], &entries[3]["after"]["weeklySpendingLimit"]),
        (&json!("accounts"), &json!("500.00"))
    );
    let credit = entries.iter().find(|entry| entry["action"] == "wallet.credited").unwrap();
    assert_eq!((&credit["service"], &credit["after"]["reason"]), (&json!("billing"), &json!("bank transfer")));
    assert_eq!(credit["actor"], by(owner, "OWNER"));
    for secret in [PASSWORD, &tenant.api_key, &tenant.invite_code, &owner.token, "argon2", "a-token", "sixteen letters"]
    {
        assert!(!audit.to_string().contains(secret), "{secret}");
    }

    // Pages go on where the one before ended, over all services.
    let all: Vec<Value> = entries.iter().map(|entry| entry["id"].clone()).collect();
    let mut paged = Vec::new();
    for page in 1..=all.len().div_ceil(4) {
        let answer = client.get(&format!("/api/audit?limit=4&page={page}"), &owner.token).await.ok(200);
        assert_eq!(answer["pagination"]["total"], json!(all.len()));
        paged.extend(answer["entries"].as_array().unwrap().iter().map(|entry| entry["id"].clone()));
    }
    assert_eq!(paged, all);
    let at = entries[2]["at"].as_str().unwrap();
    let since = client.get(&format!("/api/audit?from={at}"), &owner.token).await.ok(200);
    assert!(since["pagination"]["total"].as_u64().unwrap() >= 2 && actions(&since).len() < all.len());
    let before = client.get(&format!("/api/audit?to={at}"), &owner.token).await.ok(200);
    assert!(!actions(&before).contains(&"campaign.updated".to_owned()), "{before}");
    for query in ["limit=0", "limit=201", "page=0", "page=100000", "from=yesterday", "from=2026-01-02&to=2026-01-01"] {
        client.get(&format!("/api/audit?{query}"), &owner.token).await.refused(400);
    }

    // Nothing of it is another tenant's; administrators read each, and what belongs to none.
    let theirs = client.get("/api/audit", &other.token).await.ok(200);
    assert!(
        actions(&theirs)
            .iter()
            .all(|action| matches!(action.as_str(), "seller.created" | "user.registered" | "user.logged_in"))
    );
    assert!(!theirs.to_string().contains(&tenant.campaign));
    let admin = world.admin("ada@platform.example").await;
    let path = format!("/api/admin/audit?limit=200&sellerId={}", owner.user["sellerId"].as_str().unwrap());
    assert_eq!(client.get(&path, &admin.token).await.ok(200)["entries"], audit["entries"]);
    let platform = client.get("/api/admin/audit", &admin.token).await.ok(200);
    assert_eq!(actions(&platform), ["user.logged_in", "user.registered"]);
    client.get("/api/admin/audit?sellerId=nonsense", &admin.token).await.refused(400);

    // One service away: the others' entries are shown, and it is said whose are not.
    let index = world.cluster.indices("billing")[0];
    world.cluster.replicas[index].kill9();
    let client = &world.client;
    let partly = client.get("/api/audit?limit=200", &owner.token).await.ok(200);
    assert_eq!(partly["missing"], json!(["billing"]));
    let wanted: Vec<_> = told.iter().filter(|action| *action != "wallet.credited").cloned().collect();
    assert_eq!(actions(&partly), wanted);
}
