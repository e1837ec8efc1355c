//! Signing in, and what must not be found out by trying.

use http::Method;
use serde_json::json;

use crate::world::{PASSWORD, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_as_bearer_and_as_cookie_until_it_is_ended() {
    let world = World::start().await;
    let client = &world.client;
    let (seller, _) = world.seller("auth").await;
    let body = json!({ "email": "AUTH@seller.EXAMPLE", "password": PASSWORD });
    let answer = client.post("/api/auth/login", "", &body).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["leadflow_session=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "the public URL is plain http");
    for header in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(answer.headers.contains_key(header), "{header}");
    }
    let signed_in = answer.ok(200);
    assert!(signed_in["expiresAt"].as_str().is_some_and(|time| time.ends_with('Z')));
    let token = signed_in["token"].as_str().unwrap();
    let pair = cookie.split(';').next().unwrap();

    let as_cookie = [("cookie", pair)];
    let by_cookie = client.send(Method::GET, "/api/auth/session", &as_cookie, None).await.ok(200);
    assert_eq!(by_cookie["user"]["email"], seller.email.as_str());
    assert_eq!(client.get("/api/auth/session", token).await.ok(200), by_cookie);

    // A cookie changes things only from our own pages.
    let foreign = [("cookie", pair), ("origin", "https://evil.example")];
    let refused = client.send(Method::POST, "/api/auth/logout", &foreign, None).await;
    assert_eq!(refused.refused(403), "cross_site_request");
    let base = world.cluster.http_urls("bff")[0].clone();
    let own = [("cookie", pair), ("origin", base.as_str())];
    let gone = client.send(Method::POST, "/api/auth/logout", &own, None).await;
    assert!(gone.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    gone.ok(204);
    assert_eq!(client.get("/api/auth/session", token).await.refused(401), "session_missing");
    // The other session of the same user goes on.
    client.get("/api/auth/session", &seller.token).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_who_is_registered_and_bad_input_is_named() {
    let world = World::start().await;
    let client = &world.client;
    let (_, code) = world.seller("known").await;
    let log_in = async |email: &str, password: &str| {
        client.post("/api/auth/login", "", &json!({ "email": email, "password": password })).await
    };
    let wrong = log_in("known@seller.example", "not the password").await;
    let unknown = log_in("nobody@seller.example", "not the password").await;
    assert_eq!(wrong.headers["www-authenticate"], unknown.headers["www-authenticate"]);
    assert_eq!(wrong.body["error"], unknown.body["error"]);
    assert_eq!(wrong.refused(401), unknown.refused(401));
    let forgot =
        async |email: &str| client.post("/api/auth/forgot-password", "", &json!({ "email": email })).await.ok(202);
    assert_eq!(forgot("known@seller.example").await, forgot("nobody@seller.example").await);
    let token = json!({ "token": "x".repeat(43), "password": PASSWORD });
    assert_eq!(client.post("/api/auth/reset-password", "", &token).await.refused(404), "token_not_found");
    let gone = client.get("/api/auth/verify-invite?code=NOSUCHCODE", "").await;
    assert_eq!((gone.status.as_u16(), &gone.body["valid"]), (404, &json!(false)), "{}", gone.text);

    let registration = |change: serde_json::Value| {
        let mut body = json!({
            "email": "new@buyer.example", "password": PASSWORD, "name": "N", "role": "BUYER", "companyName": "N",
            "inviteCode": code,
        });
        for (name, value) in change.as_object().unwrap() {
            body[name.as_str()] = value.clone();
        }
        body
    };
    for (change, field) in [
        (json!({ "email": "not an e-mail" }), "email"),
        (json!({ "password": "short" }), "password"),
        (json!({ "password": 12345678 }), "password"),
        (json!({ "role": "ADMIN" }), "role"),
        (json!({ "role": "SUPPLIER" }), "role"),
        (json!({ "companyName": "" }), "companyName"),
        (json!({ "inviteCode": null }), "inviteCode"),
        (json!({ "phone": "123" }), "phone"),
    ] {
        let answer = client.post("/api/auth/register", "", &registration(change.clone())).await;
        assert!(answer.body["fields"][field].is_string(), "{change}: {}", answer.text);
        assert_eq!(answer.refused(422), "validation_failed", "{change}");
    }
    let answer = client.post("/api/auth/register", "", &registration(json!({ "inviteCode": "NOSUCHCODE" }))).await;
    assert_eq!(answer.refused(404), "invite_not_found");
    let taken = registration(json!({ "email": "KNOWN@seller.example" }));
    assert_eq!(client.post("/api/auth/register", "", &taken).await.refused(409), "email_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_and_a_new_password_ends_the_others() {
    let world = World::start().await;
    let client = &world.client;
    let (first, _) = world.seller("many").await;
    let second = world.log_in(&first.email).await;
    let third = world.log_in(&first.email).await;
    let listed = client.get("/api/auth/sessions", &second.token).await.ok(200);
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3, "{listed}");
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert!(!listed.to_string().contains(&second.token), "tokens are shown once");
    let current = client.get("/api/auth/sessions", &third.token).await.ok(200);
    let third_id = current["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    let path = format!("/api/auth/sessions/{}", third_id["id"].as_str().unwrap());
    client.delete(&path, &second.token).await.ok(204);
    client.get("/api/auth/session", &third.token).await.refused(401);
    assert_eq!(client.delete(&path, &second.token).await.refused(404), "session_not_found");

    let wrong = json!({ "oldPassword": "something else 12", "newPassword": "another long walk 72" });
    let refused = client.post("/api/auth/change-password", &second.token, &wrong).await;
    assert!(refused.body["fields"]["oldPassword"].is_string(), "{}", refused.text);
    refused.refused(422);
    let change = json!({ "oldPassword": PASSWORD, "newPassword": "another long walk 72" });
    client.post("/api/auth/change-password", &second.token, &change).await.ok(200);
    client.get("/api/auth/session", &first.token).await.refused(401);
    client.get("/api/auth/session", &second.token).await.ok(200);
    let old = json!({ "email": first.email, "password": PASSWORD });
    client.post("/api/auth/login", "", &old).await.refused(401);

    let profile = json!({ "name": "Another Name", "phone": "+12125550199" });
    let user = client.put("/api/auth/profile", &second.token, &profile).await.ok(200);
    assert_eq!((&user["user"]["name"], &user["user"]["phone"]), (&json!("Another Name"), &json!("+12125550199")));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_sign_ins_of_one_address_are_told_to_wait() {
    let world = World::with(&[("SIGN_INS_PER_MINUTE", "5")]).await;
    let body = json!({ "email": "nobody@seller.example", "password": "whatever it was" });
    let mut refused = None;
    for _ in 0..10 {
        let answer = world.client.post("/api/auth/login", "", &body).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.refused(401);
    }
    let refused = refused.expect("one was too many");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.headers["ratelimit-remaining"], "0");
    assert_eq!(refused.refused(429), "rate_limited");
    // Reading has an allowance of its own.
    assert_eq!(world.client.get("/api/auth/session", "").await.status, 401);
}
