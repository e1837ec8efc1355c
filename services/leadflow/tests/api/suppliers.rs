//! A supplier's person: sees what became of his leads, and nothing of who bought them.

use serde_json::json;

use crate::world::{PASSWORD, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_sees_his_own_leads_and_never_who_bought_them() {
    let world = World::start().await;
    let client = &world.client;
    let tenant = world.tenant("supply").await;
    let person = world.suppliers_person(&tenant, "sol@supply.example").await;
    assert_eq!((&person.user["role"], &person.user["supplierId"]), (&json!("SUPPLIER"), &json!(tenant.supplier)));

    // Another supplier of the same seller, with a lead of its own.
    let (second, second_key) = world.supplier(&tenant.seller, &tenant.category).await;
    let theirs = world.post_lead(&second_key, &tenant.campaign, 2).await;
    let theirs = theirs["leadId"].as_str().unwrap();

    let leads = client.get("/api/leads", &person.token).await.ok(200);
    assert_eq!(leads["pagination"]["total"], 1, "{leads}");
    let lead = &leads["leads"][0];
    assert_eq!((&lead["id"], &lead["status"]), (&json!(tenant.lead), &json!("DISTRIBUTED")));
    assert_eq!((&lead["buyersAssigned"], &lead["price"]), (&json!(1), &json!(25.0)));
    assert_eq!(lead["data"]["firstName"], "John");
    let shown = client.get(&format!("/api/leads/{}", tenant.lead), &person.token).await.ok(200);
    let buyer = tenant.buyer.user["buyerId"].as_str().unwrap();
    for answer in [leads.to_string(), shown.to_string()] {
        for secret in [
            buyer,
            tenant.buyer.user["companyName"].as_str().unwrap(),
            &tenant.subscription,
            "assignments",
            "explanation",
        ] {
            assert!(!answer.contains(secret), "{secret}: {answer}");
        }
    }
    assert_eq!(client.get(&format!("/api/leads/{theirs}"), &person.token).await.refused(404), "lead_not_found");
    client.get("/api/leads?status=REJECTED", &person.token).await.ok(200);

    let people = client.get(&format!("/api/suppliers/{}/people", tenant.supplier), &tenant.seller.token).await.ok(200);
    assert_eq!(people["users"][0]["email"], "sol@supply.example");
    assert!(people["invitations"].as_array().unwrap().is_empty());
    client.get(&format!("/api/suppliers/{second}/people"), &tenant.seller.token).await.ok(200);
    let team = client.get("/api/team", &tenant.seller.token).await.ok(200);
    assert_eq!(team["members"].as_array().unwrap().len(), 1, "not one of the team");

    // A supplier put out of use is signed out; one removed is gone.
    let path = format!("/api/suppliers/{}", tenant.supplier);
    client.put(&path, &tenant.seller.token, &json!({ "status": "INACTIVE" })).await.ok(200);
    client.get("/api/leads", &person.token).await.refused(401);
    let body = json!({ "email": person.email, "password": PASSWORD });
    assert_eq!(client.post("/api/auth/login", "", &body).await.refused(403), "account_suspended");
    let invite = json!({ "email": "sid@supply.example" });
    let refused = client.post(&format!("{path}/invite"), &tenant.seller.token, &invite).await;
    assert_eq!(refused.refused(409), "supplier_inactive");
    client.put(&path, &tenant.seller.token, &json!({ "status": "ACTIVE" })).await.ok(200);
    let person = world.log_in(&person.email).await;
    let one = format!("{path}/people/{}", person.user["id"].as_str().unwrap());
    let elsewhere = format!("/api/suppliers/{second}/people/{}", person.user["id"].as_str().unwrap());
    assert_eq!(client.delete(&elsewhere, &tenant.seller.token).await.refused(404), "user_not_found");
    client.delete(&one, &tenant.seller.token).await.ok(204);
    client.get("/api/leads", &person.token).await.refused(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppliers_invitation_is_refused_and_taken_back() {
    let world = World::start().await;
    let client = &world.client;
    let (seller, _) = world.seller("supplies").await;
    let category = world.category(&seller, "Medicare Supplement").await;
    let (supplier, _) = world.supplier(&seller, &category).await;
    let (other, _) = world.seller("stranger").await;
    let path = format!("/api/suppliers/{supplier}/invite");
    let body = json!({ "email": "sol@supply.example" });
    assert_eq!(client.post(&path, &other.token, &body).await.refused(404), "supplier_not_found");
    client.post("/api/suppliers/nonsense/invite", &seller.token, &body).await.refused(404);
    client.post(&path, &seller.token, &json!({ "email": "nobody" })).await.refused(422);
    assert_eq!(client.post(&path, &seller.token, &json!({ "email": seller.email })).await.refused(409), "email_exists");
    let mut mails = world.mails().await;
    let invited = client.post(&path, &seller.token, &body).await.ok(201);
    let token = mails.next_to("sol@supply.example").await.token;
    let id = invited["invitation"]["id"].as_str().unwrap();
    assert_eq!(invited["invitation"]["supplierId"], supplier.as_str());
    let people = client.get(&format!("/api/suppliers/{supplier}/people"), &seller.token).await.ok(200);
    assert_eq!(people["invitations"][0]["id"], id);
    client.get(&format!("/api/suppliers/{supplier}/people"), &other.token).await.refused(404);
    let one = format!("/api/suppliers/{supplier}/invitations/{id}");
    client.delete(&one, &other.token).await.refused(404);
    // The team's list has it not.
    client.delete(&format!("/api/team/invitations/{id}"), &seller.token).await.refused(404);
    client.delete(&one, &seller.token).await.ok(204);
    client.delete(&one, &seller.token).await.refused(404);
    let accept = json!({ "token": token, "password": PASSWORD, "name": "Sol" });
    assert_eq!(client.post("/api/team/invitations/accept", "", &accept).await.refused(404), "token_not_found");
}
