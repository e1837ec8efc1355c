//! Those who run the platform: tenants put out of use and in again.

use http::Method;
use leadflow_testkit::wait;
use serde_json::json;

use crate::world::{PASSWORD, PATIENCE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_is_signed_out_its_keys_stop_and_it_comes_back() {
    let world = World::start().await;
    let client = &world.client;
    let tenant = world.tenant("tenant").await;
    let (other, _) = world.seller("unhurt").await;
    let admin = world.admin("ada@platform.example").await;
    assert_eq!(admin.user["role"], "ADMIN");

    let listed = client.get("/api/admin/sellers", &admin.token).await.ok(200);
    let names: Vec<_> =
        listed["sellers"].as_array().unwrap().iter().map(|seller| seller["companyName"].clone()).collect();
    assert_eq!(names, ["unhurt Ltd", "tenant Ltd"], "the newest first");
    let page = client.get("/api/admin/sellers?limit=1", &admin.token).await.ok(200);
    let after = page["nextAfter"].as_str().unwrap();
    let next = client.get(&format!("/api/admin/sellers?limit=1&after={after}"), &admin.token).await.ok(200);
    assert_eq!(next["sellers"][0]["companyName"], "tenant Ltd");
    let found = client.get("/api/admin/sellers?search=TENANT@seller", &admin.token).await.ok(200);
    assert_eq!(found["sellers"].as_array().unwrap().len(), 1);
    let one = format!("/api/admin/sellers/{}", tenant.seller.user["sellerId"].as_str().unwrap());
    let seller = client.get(&one, &admin.token).await.ok(200)["seller"].clone();
    assert_eq!((&seller["ownerEmail"], &seller["status"]), (&json!(tenant.seller.email), &json!("ACTIVE")));
    assert_eq!((&seller["team"], &seller["buyers"], &seller["suppliers"]), (&json!(1), &json!(1), &json!(1)));
    for query in ["limit=0", "limit=201", "after=x", "status=SLEEPING", "search=%00"] {
        client.get(&format!("/api/admin/sellers?{query}"), &admin.token).await.refused(400);
    }
    client.get(&format!("/api/admin/sellers?search={}", "x".repeat(101)), &admin.token).await.refused(400);

    let post = async |path: &str| client.call(Method::POST, path, &admin.token, None).await;
    let suspended = post(&format!("{one}/suspend")).await.ok(200);
    assert_eq!(suspended["seller"]["status"], "SUSPENDED");
    client.get("/api/leads", &tenant.seller.token).await.refused(401);
    client.get("/api/leads", &tenant.buyer.token).await.refused(401);
    let login = json!({ "email": tenant.buyer.email, "password": PASSWORD });
    assert_eq!(client.post("/api/auth/login", "", &login).await.refused(403), "account_suspended");
    client.get("/api/auth/session", &other.token).await.ok(200);
    let key = [("x-api-key", tenant.api_key.as_str())];
    let path = format!("/api/leads/ingest/{}", tenant.lead);
    wait::until("the key has stopped", PATIENCE, async || {
        matches!(client.send(Method::GET, &path, &key, None).await.status.as_u16(), 401 | 403)
    })
    .await;
    let body = json!({ "campaignId": tenant.campaign, "data": {} });
    let headers = [key[0], ("content-type", "application/json")];
    let refused = client.send(Method::POST, "/api/leads/ingest", &headers, Some(body.to_string().into())).await;
    assert!(matches!(refused.status.as_u16(), 401 | 403), "{}", refused.text);
    let only = client.get("/api/admin/sellers?status=SUSPENDED", &admin.token).await.ok(200);
    assert_eq!(only["sellers"].as_array().unwrap().len(), 1);

    let back = post(&format!("{one}/reactivate")).await.ok(200);
    assert_eq!(back["seller"]["status"], "ACTIVE");
    client.get("/api/leads", &tenant.seller.token).await.refused(401);
    world.log_in(&tenant.seller.email).await;
    wait::until("the key works", PATIENCE, async || client.send(Method::GET, &path, &key, None).await.status == 200)
        .await;
    for path in ["/api/admin/sellers/seller_00000000000000000000000000", "/api/admin/sellers/nonsense"] {
        client.get(path, &admin.token).await.refused(404);
        post(&format!("{path}/suspend")).await.refused(404);
    }

    // Both are in the tenant's audit, with who did it.
    let query = format!("/api/admin/audit?sellerId={}", tenant.seller.user["sellerId"].as_str().unwrap());
    let audit = client.get(&query, &admin.token).await.ok(200);
    let changes: Vec<_> =
        audit["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "seller.updated").collect();
    assert_eq!(changes.len(), 2, "{audit}");
    assert!(changes.iter().all(|entry| entry["actor"] == json!({ "userId": admin.user["id"], "role": "ADMIN" })));
    // An administrator is no seller.
    client.get("/api/leads", &admin.token).await.refused(403);
    client.get("/api/audit", &admin.token).await.refused(403);
}
