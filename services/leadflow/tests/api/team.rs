//! A seller's team: invited, changed, removed, and what each may.

use serde_json::{Value, json};

use crate::world::{PASSWORD, World, id};

const INVITATIONS: &str = "/api/team/invitations";

fn user_id(person: &crate::world::Person) -> String {
    person.user["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_invited_accepts_works_and_leaves() {
    let world = World::start().await;
    let client = &world.client;
    let (owner, code) = world.seller("team").await;
    let mut mails = world.mails().await;

    let body = json!({ "email": "Mia@team.example", "role": "VIEWER" });
    let invited = client.post(INVITATIONS, &owner.token, &body).await.ok(201);
    assert_eq!((&invited["invitation"]["role"], &invited["invitation"]["email"]), (&json!("VIEWER"), &body["email"]));
    let token = mails.next_to("Mia@team.example").await.token;
    let team = client.get("/api/team", &owner.token).await.ok(200);
    assert_eq!(team["members"].as_array().unwrap().len(), 1);
    assert_eq!(team["invitations"][0]["id"], invited["invitation"]["id"]);
    assert!(!team.to_string().contains(&token));

    let accept = |change: Value| {
        let mut body = json!({ "token": token, "password": PASSWORD, "name": "Mia" });
        for (name, value) in change.as_object().unwrap() {
            body[name.as_str()] = value.clone();
        }
        body
    };
    let path = "/api/team/invitations/accept";
    for (change, status) in [
        (json!({ "password": "short" }), 422),
        (json!({ "name": "" }), 422),
        (json!({ "phone": "12" }), 422),
        (json!({ "token": "x" }), 404),
    ] {
        client.post(path, "", &accept(change)).await.refused(status);
    }
    let joined = client.post(path, "", &accept(json!({}))).await.ok(201);
    assert_eq!((&joined["user"]["member"], &joined["user"]["companyName"]), (&json!("VIEWER"), &json!("team Ltd")));
    assert_eq!(client.post(path, "", &accept(json!({}))).await.ok(201)["user"]["id"], joined["user"]["id"]);
    assert_eq!(client.post(path, "", &accept(json!({ "name": "Eve" }))).await.refused(404), "token_not_found");

    // A viewer sees, and changes nothing; a manager changes all but what is the owner's.
    let mia = world.log_in("mia@team.example").await;
    client.get("/api/categories", &mia.token).await.ok(200);
    client.get("/api/team", &mia.token).await.ok(200);
    let category = json!({ "name": "Solar", "fields": [] });
    assert_eq!(client.post("/api/categories", &mia.token, &category).await.refused(403), "forbidden");
    client.get("/api/auth/invite-code", &mia.token).await.refused(403);
    let one = format!("/api/team/{}", user_id(&mia));
    let promoted = client.put(&one, &owner.token, &json!({ "role": "MANAGER" })).await.ok(200);
    assert_eq!(promoted["user"]["member"], "MANAGER");
    client.post("/api/categories", &mia.token, &category).await.ok(201);
    assert_eq!(client.get("/api/auth/invite-code", &mia.token).await.ok(200)["inviteCode"], code.as_str());
    let own = json!({ "role": "OWNER" });
    for (method, path, body) in [
        (http::Method::POST, INVITATIONS.to_owned(), Some(&body)),
        (http::Method::PUT, one.clone(), Some(&own)),
        (http::Method::DELETE, format!("/api/team/{}", user_id(&owner)), None),
        (http::Method::GET, "/api/audit".to_owned(), None),
    ] {
        assert_eq!(client.call(method, &path, &mia.token, body).await.refused(403), "forbidden");
    }

    // Somebody owns the tenant at any time.
    let me = format!("/api/team/{}", user_id(&owner));
    assert_eq!(client.put(&me, &owner.token, &json!({ "role": "VIEWER" })).await.refused(409), "last_owner");
    assert_eq!(client.delete(&me, &owner.token).await.refused(409), "last_owner");
    client.put(&one, &owner.token, &own).await.ok(200);
    let viewer = json!({ "role": "VIEWER" });
    let (first, second) = tokio::join!(client.put(&one, &owner.token, &viewer), client.put(&me, &mia.token, &viewer),);
    let statuses = [first.status.as_u16(), second.status.as_u16()];
    assert!(statuses.contains(&200) && statuses.contains(&403), "{statuses:?}");
    let (left, gone) = if first.status == 200 { (&owner, &mia) } else { (&mia, &owner) };
    client.delete(&format!("/api/team/{}", user_id(gone)), &left.token).await.ok(204);
    assert_eq!(client.get("/api/auth/session", &gone.token).await.refused(401), "session_missing");
    assert_eq!(
        client.delete(&format!("/api/team/{}", user_id(gone)), &left.token).await.refused(404),
        "user_not_found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_refused_taken_back_and_never_another_tenants() {
    let world = World::start().await;
    let client = &world.client;
    let (owner, _) = world.seller("inviter").await;
    let (other, _) = world.seller("elsewhere").await;
    for (body, status) in [
        (json!({ "email": "nobody", "role": "VIEWER" }), 422),
        (json!({ "email": "a@b.example", "role": "KING" }), 422),
        (json!({ "email": "a@b.example" }), 422),
        (json!({ "email": other.email, "role": "VIEWER" }), 409),
    ] {
        client.post(INVITATIONS, &owner.token, &body).await.refused(status);
    }
    let bearer = format!("Bearer {}", owner.token);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "one")];
    let body = json!({ "email": "max@team.example", "role": "MANAGER" });
    let send = || client.send(http::Method::POST, INVITATIONS, &headers, Some(body.to_string().into()));
    let first = id(&send().await.ok(201), "invitation");
    assert_eq!(id(&send().await.ok(201), "invitation"), first, "the same request invites once");
    let mut mails = world.mails().await;
    let one = format!("{INVITATIONS}/{first}");
    assert_eq!(client.delete(&one, &other.token).await.refused(404), "invitation_not_found");
    client.delete(&one, &owner.token).await.ok(204);
    assert_eq!(client.delete(&one, &owner.token).await.refused(404), "invitation_not_found");
    client.delete(&format!("{INVITATIONS}/nonsense"), &owner.token).await.refused(404);

    client.post(INVITATIONS, &owner.token, &body).await.ok(201);
    let token = mails.next_to("max@team.example").await.token;
    let open = client.get("/api/team", &owner.token).await.ok(200)["invitations"].clone();
    client.delete(&format!("{INVITATIONS}/{}", open[0]["id"].as_str().unwrap()), &owner.token).await.ok(204);
    let accept = json!({ "token": token, "password": PASSWORD, "name": "Max" });
    assert_eq!(client.post(&format!("{INVITATIONS}/accept"), "", &accept).await.refused(404), "token_not_found");

    // Nobody of another tenant is found.
    let one = format!("/api/team/{}", user_id(&owner));
    let role = json!({ "role": "VIEWER" });
    assert_eq!(client.put(&one, &other.token, &role).await.refused(404), "user_not_found");
    assert_eq!(client.delete(&one, &other.token).await.refused(404), "user_not_found");
    client.put("/api/team/nonsense", &owner.token, &role).await.refused(404);
    client.put(&one, &owner.token, &json!({ "role": "KING" })).await.refused(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_code_is_rotated_and_may_end() {
    let world = World::start().await;
    let client = &world.client;
    let (owner, code) = world.seller("codes").await;
    let path = "/api/auth/invite-code";
    let ending = client.post(path, &owner.token, &json!({ "expiresInHours": 2 })).await.ok(201);
    assert!(ending["expiresAt"].is_string() && ending["inviteCode"] != code.as_str(), "{ending}");
    client.get(&format!("/api/auth/verify-invite?code={code}"), "").await.ok(404);
    let fresh = ending["inviteCode"].as_str().unwrap();
    client.get(&format!("/api/auth/verify-invite?code={fresh}"), "").await.ok(200);
    assert_eq!(client.get(path, &owner.token).await.ok(200), ending);
    // As time would do it.
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    sqlx::query("UPDATE accounts.invite_codes SET expires_at = now() - interval '1 second' WHERE code = $1")
        .bind(fresh)
        .execute(&pool)
        .await
        .unwrap();
    client.get(&format!("/api/auth/verify-invite?code={fresh}"), "").await.ok(404);
    let body = json!({
        "email": "late@buyer.example", "password": PASSWORD, "name": "L", "role": "BUYER", "companyName": "L",
        "inviteCode": fresh,
    });
    assert_eq!(client.post("/api/auth/register", "", &body).await.refused(404), "invite_not_found");
    let forever = client.post(path, &owner.token, &json!({})).await.ok(201);
    assert_eq!(forever["expiresAt"], Value::Null);
    world.buyer("codes", forever["inviteCode"].as_str().unwrap()).await;
    client.post(path, &owner.token, &json!({ "expiresInHours": 8785 })).await.refused(422);
    client.post(path, &owner.token, &json!({ "expiresInHours": -1 })).await.refused(422);
}
