//! How long personal data is kept, and what lists show of leads that have none any more.

use serde_json::json;

use crate::world::World;

const RETENTION: &str = "/api/privacy/retention";

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_chooses_how_long_personal_data_is_kept() {
    let world = World::start().await;
    let client = &world.client;
    let tenant = world.tenant("keeper").await;
    let (other, _) = world.seller("other").await;
    assert_eq!(client.get(RETENTION, &tenant.seller.token).await.ok(200), json!({ "days": 0 }));
    let chosen = client.put(RETENTION, &tenant.seller.token, &json!({ "days": 90 })).await.ok(200);
    assert_eq!(chosen, json!({ "days": 90 }));
    let viewer = world.member(&tenant.seller, "vera@keeper.example", "VIEWER").await;
    let manager = world.member(&tenant.seller, "max@keeper.example", "MANAGER").await;
    for (who, may_see) in [(&viewer, true), (&manager, true), (&tenant.buyer, false)] {
        let shown = client.get(RETENTION, &who.token).await;
        if may_see {
            assert_eq!(shown.ok(200), json!({ "days": 90 }));
        } else {
            assert_eq!(shown.refused(403), "forbidden");
        }
        assert_eq!(client.put(RETENTION, &who.token, &json!({ "days": 1 })).await.refused(403), "forbidden");
    }
    client.put(RETENTION, "", &json!({ "days": 1 })).await.refused(401);
    for bad in [json!({ "days": 3_651 }), json!({ "days": -1 }), json!({}), json!({ "days": "90" })] {
        let status = client.put(RETENTION, &tenant.seller.token, &bad).await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{bad}: {status}");
    }
    assert_eq!(client.get(RETENTION, &tenant.seller.token).await.ok(200), json!({ "days": 90 }));
    assert_eq!(client.get(RETENTION, &other.token).await.ok(200), json!({ "days": 0 }));

    // Who changed it is known.
    let audit = client.get("/api/audit", &tenant.seller.token).await.ok(200);
    let entries = audit["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["after"]["retentionDays"] == 90).unwrap_or_else(|| panic!("{audit}"));
    assert_eq!((&entry["before"]["retentionDays"], &entry["action"]), (&json!(0), &json!("seller.updated")));
}
