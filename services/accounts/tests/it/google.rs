//! Signing in by Google: what the provider must have said, to whom, and when.

use leadflow_accounts::workers::cleanup;
use leadflow_contracts::accounts::{BeginGoogleRequest, Role};
use serde_json::{Value, json};
use tonic::Code;
use url::Url;

use crate::{
    browser::{Browser, Google, JANE, as_buyer, as_seller, plain},
    someone::{PASSWORD, tenant},
    world::{World, code, unbound},
};

#[tokio::test]
async fn a_new_seller_registers_and_is_known_the_next_time() {
    let google = Google::start().await;
    let first = google.sign_in(as_seller(), &JANE).await;
    let session = first.session.unwrap();
    let user = session.user.unwrap();
    assert_eq!((first.registered, first.return_to.as_str()), (true, "/leads"));
    assert_eq!((user.role(), user.email.as_str(), user.name.as_str()), (Role::Seller, "jane@example.com", "Jane Doe"));
    assert_eq!((user.company_name.as_str(), user.email_verified), ("Jane's Leads", true));
    assert_eq!(google.world.whose(&session.token).await.unwrap().user.unwrap(), user);
    assert!(!google.world.invite_code(tenant(&user)).await.is_empty());
    // Whatever is asked for then: he is there.
    for wish in [plain(), as_seller()] {
        let again = google.sign_in(wish, &JANE).await;
        assert_eq!((again.registered, again.session.unwrap().user.unwrap()), (false, user.clone()));
    }
    // There is no password, and so no wrong one either.
    assert_eq!(code(google.world.log_in("jane@example.com", PASSWORD).await), "wrong_credentials");
}

#[tokio::test]
async fn a_new_buyer_comes_with_an_invite_code_that_works_at_both_ends() {
    let google = Google::start().await;
    let seller = google.world.registered_seller("sam@example.com").await;
    let entered = google.sign_in(as_buyer(&seller.invite_code), &JANE).await;
    let user = entered.session.unwrap().user.unwrap();
    assert_eq!((user.role(), user.seller_id.as_str()), (Role::Buyer, seller.user.unwrap().seller_id.as_str()));
    assert_eq!(user.company_name, "Jane Doe");

    let unknown = google.world.people().begin_google(unbound(as_buyer("NOSUCHCODE"))).await;
    assert_eq!(code(unknown), "invite_not_found");
    let other = crate::browser::Jane { email: "joe@example.com", ..JANE };
    let on_the_way = google.back(as_buyer(&seller.invite_code), &other).await;
    let rotate = leadflow_contracts::accounts::RotateInviteCodeRequest::default();
    google.world.people().rotate_invite_code(crate::world::as_tenant(tenant(&user), rotate)).await.unwrap();
    assert_eq!(code(on_the_way.finish(google.world.people()).await), "invite_not_found");
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.users").await, 2);
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.buyers").await, 1);
}

#[tokio::test]
async fn who_is_nobody_is_told_so_and_leaves_nothing_behind() {
    let google = Google::start().await;
    assert_eq!(google.refused(plain(), &JANE).await, "google_account_unknown");
    for wrong in [
        BeginGoogleRequest { role: Role::Seller.into(), ..plain() },
        BeginGoogleRequest { role: Role::Admin.into(), ..plain() },
        BeginGoogleRequest { role: Role::Supplier.into(), ..plain() },
        BeginGoogleRequest { time_zone: "Mars".into(), ..as_seller() },
    ] {
        assert_eq!(code(google.world.people().begin_google(unbound(wrong)).await), "invalid_field");
    }
    for table in ["users", "sessions", "sellers", "google_identities", "google_attempts"] {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM accounts.{table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(google.world.db.pool()).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn only_what_the_provider_says_to_us_for_this_sign_in_counts() {
    let google = Google::start().await;
    let now = crate::world::ms(leadflow_kernel::Clock::now(&google.world.clock)) / 1_000;
    for (name, value, wanted) in [
        ("nonce", json!("another"), "google_token_invalid"),
        ("nonce", Value::Null, "google_token_invalid"),
        ("aud", json!("another-client"), "google_token_invalid"),
        ("aud", json!(["leadflow-sandbox", "another-client"]), "google_account_unknown"),
        ("azp", json!("another-client"), "google_token_invalid"),
        ("iss", json!("https://accounts.google.com"), "google_token_invalid"),
        ("exp", json!(now - 60), "google_token_invalid"),
        ("exp", json!(now - 59), "google_account_unknown"),
        ("exp", Value::Null, "google_token_invalid"),
        ("iat", json!(now + 61), "google_token_invalid"),
        ("sub", json!(""), "google_token_invalid"),
        ("sub", Value::Null, "google_token_invalid"),
        ("email", Value::Null, "google_token_invalid"),
        ("email", json!("jane@@example.com"), "google_token_invalid"),
        ("email_verified", json!(false), "google_email_unverified"),
        ("email_verified", Value::Null, "google_email_unverified"),
        ("email_verified", json!("true"), "google_token_invalid"),
    ] {
        google.claim(name, value.clone()).await;
        assert_eq!(google.refused(plain(), &JANE).await, wanted, "{name}: {value}");
    }
    for signature in ["foreign", "none"] {
        google.misbehave(json!({ "signature": signature })).await;
        assert_eq!(google.refused(plain(), &JANE).await, "google_token_invalid", "{signature}");
    }
    google.misbehave(json!({})).await;
    google.sign_in(as_seller(), &JANE).await;
}

#[tokio::test]
async fn a_sign_in_ends_once_and_in_the_browser_in_which_it_began() {
    let google = Google::start().await;
    let people = || google.world.people();
    let mine = google.back(as_seller(), &JANE).await;
    let theirs = google.back(as_seller(), &JANE).await;
    // Somebody is sent the way back of somebody else's sign-in.
    let lured = Browser { token: theirs.token.clone(), ..mine.clone() };
    assert_eq!(code(lured.finish(people()).await), "google_state_unknown");
    for token in ["", "x"] {
        let without = Browser { token: token.into(), ..mine.clone() };
        assert_eq!(code(without.finish(people()).await), "google_state_unknown");
    }
    // His own browser is none the worse for it; and once is enough.
    mine.finish(people()).await.unwrap();
    assert_eq!(code(mine.finish(people()).await), "google_state_unknown");
    // A code of another sign-in is bound to that one's verifier; trying uses both up.
    let other = google.back(as_seller(), &JANE).await;
    let mixed = Browser { code: other.code.clone(), ..theirs.clone() };
    assert_eq!(code(mixed.finish(people()).await), "google_refused");
    assert_eq!(code(theirs.finish(people()).await), "google_state_unknown");
    assert_eq!(code(other.finish(people()).await), "google_refused");
    // Codes that were used before, or never given out.
    for used in [mine.code.as_str(), "made up"] {
        let again = Browser { code: used.into(), ..google.back(as_seller(), &JANE).await };
        assert_eq!(code(again.finish(people()).await), "google_refused", "{used}");
    }
    // Somebody changes his mind; something fails over there.
    let attempt = google.begin(as_seller()).await;
    let denied = google.cancel(&attempt).await;
    assert_eq!((denied.error.as_str(), denied.code.as_str()), ("access_denied", ""));
    assert_eq!(code(denied.finish(people()).await), "google_denied");
    assert_eq!(code(denied.finish(people()).await), "google_state_unknown");
    let failed = Browser { error: "server_error".into(), ..google.cancel(&google.begin(as_seller()).await).await };
    assert_eq!(code(failed.finish(people()).await), "google_refused");
}

#[tokio::test]
async fn a_sign_in_that_takes_too_long_is_over_and_forgotten() {
    let google = Google::start().await;
    let slow = google.back(as_seller(), &JANE).await;
    google.begin(plain()).await;
    google.world.advance(600);
    assert_eq!(code(slow.finish(google.world.people()).await), "google_state_unknown");
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.google_attempts").await, 2);
    cleanup::step(google.world.db.pool(), &google.world.clock).await.unwrap();
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.google_attempts").await, 0);
}

#[tokio::test]
async fn a_key_that_is_new_is_asked_for_but_not_again_and_again() {
    let google = Google::start().await;
    google.sign_in(as_seller(), &JANE).await;
    google.replace_key().await;
    assert_eq!(google.refused(plain(), &JANE).await, "google_token_invalid");
    google.world.advance(10);
    google.sign_in(plain(), &JANE).await;
    // What was withdrawn is asked about within the hour, whoever signs with it.
    google.replace_key().await;
    google.world.advance(3_600);
    google.sign_in(plain(), &JANE).await;
}

#[tokio::test]
async fn a_provider_that_does_not_work_is_no_fault_of_the_visitor() {
    let google = Google::start().await;
    for status in [500, 503, 400, 401, 404] {
        google.misbehave(json!({ "tokenStatus": status })).await;
        let refusal = google.back(plain(), &JANE).await.finish(google.world.people()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::Unavailable, "{status}: {refusal}");
        assert_eq!(leadflow_platform::grpc::stable_code(&refusal), "google_unavailable");
    }
}

#[tokio::test]
async fn without_settings_nobody_signs_in_by_google() {
    let world = World::start().await;
    let begun = world.people().begin_google(unbound(as_seller())).await;
    assert_eq!(code(begun), "google_not_configured");
    let back = Browser { token: "a".into(), state: "b".into(), code: "c".into(), error: String::new() };
    assert_eq!(code(back.finish(world.people()).await), "google_not_configured");
}

#[tokio::test]
async fn what_the_provider_is_asked_binds_the_answer_and_what_is_stored_opens_nothing() {
    let google = Google::start().await;
    let attempt = google.begin(as_seller()).await;
    let url: Url = attempt.authorization_url.parse().unwrap();
    let asked = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!((asked("response_type"), asked("code_challenge_method")), ("code".into(), "S256".into()));
    assert_eq!(asked("scope"), "openid email profile");
    assert_eq!(asked("redirect_uri"), crate::browser::BACK);
    let (state, nonce) = (asked("state"), asked("nonce"));
    assert_eq!((state.len(), nonce.len(), asked("code_challenge").len()), (43, 64, 43));
    assert!(!url.as_str().contains(&attempt.browser_token));
    let other: Url = google.begin(as_seller()).await.authorization_url.parse().unwrap();
    assert!(other.query_pairs().all(|(key, value)| {
        !matches!(&*key, "state" | "nonce" | "code_challenge") || ![&state, &nonce].contains(&&value.into_owned())
    }));
    for secret in [&state, &nonce, &attempt.browser_token] {
        let found: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM accounts.google_attempts t WHERE t::text LIKE '%' || $1 || '%')",
        )
        .bind(secret)
        .fetch_one(google.world.db.pool())
        .await
        .unwrap();
        assert!(!found);
    }
}
