//! Signing in: who gets in, and that nobody learns who has an account.

use leadflow_accounts::app::people::PeopleRules;
use leadflow_contracts::{
    accounts::{LogInRequest, UpdateBuyerRequest, UpdateSellerRequest},
    common::Status,
};
use tonic::Code;

use crate::{
    someone::{PASSWORD, log_in_request, tenant},
    world::{World, as_tenant, code, unbound},
};

#[tokio::test]
async fn somebody_signs_in_and_is_known_by_the_token() {
    let world = World::start().await;
    let user = world.registered_seller("Sam@Example.com").await.user.unwrap();
    let session = world.log_in("sam@EXAMPLE.com", PASSWORD).await.unwrap().into_inner();
    assert_eq!(session.user.as_ref(), Some(&user));
    assert_eq!((session.token.len(), session.user_agent.as_str()), (43, "a browser"));
    assert_eq!(session.expires_at_ms - session.created_at_ms, 7 * 86_400_000);
    let known = world.whose(&session.token).await.unwrap();
    assert_eq!((known.token.as_str(), known.session_id, known.user), ("", session.session_id, Some(user)));
    // Neither the token nor the password is anywhere in the tables.
    for secret in [session.token.as_str(), PASSWORD] {
        for table in ["sessions", "users", "audit_entries", "outbox", "allowances"] {
            let found: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "SELECT EXISTS (SELECT 1 FROM accounts.{table} t WHERE t::text LIKE '%' || $1 || '%')"
            )))
            .bind(secret)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
            assert!(!found, "{table}");
        }
    }
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_are_answered_alike() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    let wrong = world.log_in("sam@example.com", "leads for dinner").await.unwrap_err();
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("sam@example.com", ""),
        ("sam@example.com", &"x".repeat(5_000)),
    ] {
        let other = world.log_in(email, password).await.unwrap_err();
        assert_eq!((other.code(), other.message()), (wrong.code(), wrong.message()));
    }
    assert_eq!((wrong.code(), code::<()>(Err(wrong))), (Code::Unauthenticated, "wrong_credentials".to_owned()));
    assert_eq!(world.count("SELECT count(*) FROM accounts.sessions").await, 0);
}

#[tokio::test]
async fn guessing_is_slowed_down_for_known_and_unknown_addresses_alike() {
    let world = World::with_rules(PeopleRules { passwords_tried: 3, ..PeopleRules::default() }).await;
    world.registered_seller("sam@example.com").await;
    for email in ["sam@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            assert_eq!(code(world.log_in(email, "leads for dinner").await), "wrong_credentials");
        }
        // Also the right one: otherwise the answer would tell which it is.
        let refusal = world.log_in(email, PASSWORD).await.unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted);
        assert_eq!(refusal.metadata().get("retry-after-seconds").unwrap(), "300");
    }
    // From elsewhere he gets in, and in time from here.
    let elsewhere = LogInRequest { address: "198.51.100.9".into(), ..log_in_request("sam@example.com", PASSWORD) };
    world.people().log_in(unbound(elsewhere)).await.unwrap();
    world.advance(300);
    world.session("sam@example.com").await;
    // Having got in, all of them are back.
    for _ in 0..3 {
        assert_eq!(code(world.log_in("sam@example.com", "leads for dinner").await), "wrong_credentials");
    }
}

#[tokio::test]
async fn one_address_does_not_guess_the_passwords_of_many() {
    let world = World::with_rules(PeopleRules { passwords_tried: 2, ..PeopleRules::default() }).await;
    for number in 0..10 {
        assert_eq!(code(world.log_in(&format!("s{number}@example.com"), PASSWORD).await), "wrong_credentials");
    }
    assert_eq!(code(world.log_in("s99@example.com", PASSWORD).await), "throttled");
}

#[tokio::test]
async fn a_suspended_buyer_is_out_at_once_and_in_again_when_he_may() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    let buyer = world.registered_buyer("bea@example.com", &seller.invite_code).await;
    let token = world.session("bea@example.com").await.token;
    let set = async |status: Status| {
        let request =
            UpdateBuyerRequest { buyer_id: buyer.buyer_id.clone(), status: Some(status.into()), ..Default::default() };
        world.client().update_buyer(as_tenant(own, request)).await.unwrap();
    };
    set(Status::Paused).await;
    assert_eq!(world.whose(&token).await, None);
    let refusal = world.log_in("bea@example.com", PASSWORD).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(code::<()>(Err(refusal)), "account_suspended");
    // Only who knows the password is told that.
    assert_eq!(code(world.log_in("bea@example.com", "leads for dinner").await), "wrong_credentials");
    set(Status::Active).await;
    assert!(world.whose(&token).await.is_some());
    set(Status::Archived).await;
    assert_eq!(code(world.log_in("bea@example.com", PASSWORD).await), "account_suspended");
}

#[tokio::test]
async fn with_a_tenant_go_all_its_people() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    world.registered_buyer("bea@example.com", &seller.invite_code).await;
    let tokens = [world.session("sam@example.com").await.token, world.session("bea@example.com").await.token];
    let request =
        UpdateSellerRequest { seller_id: own.to_string(), status: Some(Status::Paused.into()), ..Default::default() };
    world.client().update_seller(as_tenant(own, request)).await.unwrap();
    for (email, token) in ["sam@example.com", "bea@example.com"].iter().zip(&tokens) {
        assert_eq!(world.whose(token).await, None);
        assert_eq!(code(world.log_in(email, PASSWORD).await), "account_suspended");
    }
}
