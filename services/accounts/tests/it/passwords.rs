//! Passwords that are forgotten or changed, and addresses that are verified.

use leadflow_accounts::app::people::PeopleRules;
use leadflow_accounts_domain::PasswordRules;
use leadflow_contracts::{
    accounts::{
        ChangePasswordRequest, ForgotPasswordRequest, ResetPasswordRequest, SendVerificationRequest,
        UpdateProfileRequest, User, VerifyEmailRequest,
    },
    events::MailKind,
};
use leadflow_kernel::UserId;

use crate::{
    someone::{ADDRESS, PASSWORD, seller_request},
    world::{Mails, World, code, unbound},
};

const NEW: &str = "leads for breakfast";

async fn forgot(world: &World, email: &str) {
    let request = ForgotPasswordRequest { email: email.into(), address: ADDRESS.into() };
    world.people().forgot_password(unbound(request)).await.unwrap();
}

fn reset(token: &str, password: &str) -> tonic::Request<ResetPasswordRequest> {
    unbound(ResetPasswordRequest { token: token.into(), password: password.into() })
}

/// Somebody with a session, and the mails after the one that greets him.
async fn somebody(world: &World) -> (User, Mails) {
    let mut mails = world.mails().await;
    let user = world.registered_seller("sam@example.com").await.user.unwrap();
    mails.next_to("sam@example.com").await;
    (user, mails)
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_ends_every_session() {
    let world = World::start().await;
    let (_, mut mails) = somebody(&world).await;
    let session = world.session("sam@example.com").await;
    forgot(&world, "SAM@example.com").await;
    let (mail, contents) = mails.next_to("sam@example.com").await;
    assert_eq!(mail.kind(), MailKind::ResetPassword);

    let mut people = world.people();
    // A password that is refused does not use the link up.
    assert_eq!(code(people.reset_password(reset(&contents.token, "password123")).await), "invalid_field");
    assert!(world.whose(&session.token).await.is_some());
    let user = people.reset_password(reset(&contents.token, NEW)).await.unwrap().into_inner();
    assert!(user.email_verified);
    assert_eq!(world.whose(&session.token).await, None);
    assert_eq!(code(world.log_in("sam@example.com", PASSWORD).await), "wrong_credentials");
    world.log_in("sam@example.com", NEW).await.unwrap();
    assert_eq!(code(people.reset_password(reset(&contents.token, "yet another one")).await), "token_not_found");
}

#[tokio::test]
async fn only_the_newest_link_works_and_only_for_an_hour() {
    let world = World::start().await;
    let (_, mut mails) = somebody(&world).await;
    forgot(&world, "sam@example.com").await;
    let (_, first) = mails.next_to("sam@example.com").await;
    forgot(&world, "sam@example.com").await;
    let (_, second) = mails.next_to("sam@example.com").await;
    let mut people = world.people();
    assert_eq!(code(people.reset_password(reset(&first.token, NEW)).await), "token_not_found");
    world.advance(3_600);
    assert_eq!(code(people.reset_password(reset(&second.token, NEW)).await), "token_not_found");
    assert_eq!(code(people.reset_password(reset("", NEW)).await), "token_not_found");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account_and_nobody_is_flooded() {
    let world = World::start().await;
    let (_, mut mails) = somebody(&world).await;
    for email in ["nobody@example.com", "not an address", ""] {
        forgot(&world, email).await;
    }
    for _ in 0..20 {
        forgot(&world, "sam@example.com").await;
    }
    for _ in 0..5 {
        mails.next_to("sam@example.com").await;
    }
    // What was begun is finished before the service ends.
    let mut world = world;
    world.stop().await;
    assert_eq!(
        world.count("SELECT count(*) FROM accounts.audit_entries WHERE action = 'user.password_reset_asked'").await,
        5
    );
    assert_eq!(world.count("SELECT count(*) FROM accounts.one_time_tokens WHERE kind = 'RESET_PASSWORD'").await, 1);
}

#[tokio::test]
async fn a_changed_password_keeps_this_session_and_ends_the_others() {
    let world = World::start().await;
    let (user, mut mails) = somebody(&world).await;
    let (kept, other) = (world.session("sam@example.com").await, world.session("sam@example.com").await);
    forgot(&world, "sam@example.com").await;
    let (_, link) = mails.next_to("sam@example.com").await;
    let change = |old: &str, new: &str| {
        unbound(ChangePasswordRequest {
            user_id: user.user_id.clone(),
            old_password: old.into(),
            new_password: new.into(),
            keep_session_id: kept.session_id.clone(),
        })
    };
    let mut people = world.people();
    assert_eq!(code(people.change_password(change("leads for dinner", NEW)).await), "wrong_password");
    let weak = people.change_password(change(PASSWORD, "qwertyuiop1")).await.unwrap_err();
    assert!(weak.message().contains("new_password"), "{weak:?}");
    people.change_password(change(PASSWORD, NEW)).await.unwrap();
    assert!(world.whose(&kept.token).await.is_some());
    assert_eq!(world.whose(&other.token).await, None);
    world.log_in("sam@example.com", NEW).await.unwrap();
    // A link from before does not undo it.
    assert_eq!(code(people.reset_password(reset(&link.token, PASSWORD)).await), "token_not_found");
    // Guessing is slowed down here too.
    for _ in 0..7 {
        assert_eq!(code(people.change_password(change(PASSWORD, NEW)).await), "wrong_password");
    }
    assert_eq!(code(people.change_password(change(NEW, PASSWORD)).await), "throttled");
}

#[tokio::test]
async fn an_address_is_verified_by_the_mail_to_it() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let user = world.registered_seller("sam@example.com").await.user.unwrap();
    let (_, first) = mails.next_to("sam@example.com").await;
    let send = || unbound(SendVerificationRequest { user_id: user.user_id.clone() });
    let verify = |token: &str| unbound(VerifyEmailRequest { token: token.into() });
    let mut people = world.people();
    people.send_verification(send()).await.unwrap();
    let (_, second) = mails.next_to("sam@example.com").await;
    assert_eq!(code(people.verify_email(verify(&first.token)).await), "token_not_found");
    // A link is good for what it was made for.
    assert_eq!(code(people.reset_password(reset(&second.token, NEW)).await), "token_not_found");
    assert!(people.verify_email(verify(&second.token)).await.unwrap().into_inner().email_verified);
    assert_eq!(code(people.verify_email(verify(&second.token)).await), "token_not_found");
    people.send_verification(send()).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM accounts.one_time_tokens").await, 0);
    let nobody = SendVerificationRequest { user_id: UserId::new().to_string() };
    assert_eq!(code(people.send_verification(unbound(nobody)).await), "user_not_found");
}

#[tokio::test]
async fn demo_rules_take_the_words_of_the_description_and_nothing_shorter() {
    let world = World::with_rules(PeopleRules { passwords: PasswordRules::Demo, ..PeopleRules::default() }).await;
    let with = |password: &str| {
        let mut request = seller_request("seller@test.com");
        request.password = password.into();
        unbound(request)
    };
    assert_eq!(code(world.people().register_seller(with("password")).await), "invalid_field");
    world.people().register_seller(with("password123")).await.unwrap();
    world.log_in("seller@test.com", "password123").await.unwrap();
}

#[tokio::test]
async fn name_and_number_are_changed_one_by_one() {
    let world = World::start().await;
    let user = world.registered_seller("sam@example.com").await.user.unwrap();
    let update = |name: Option<&str>, phone: Option<&str>| {
        unbound(UpdateProfileRequest {
            user_id: user.user_id.clone(),
            name: name.map(Into::into),
            phone: phone.map(Into::into),
            check_only: false,
        })
    };
    let mut people = world.people();
    let changed = people.update_profile(update(None, Some("+49 30 123456"))).await.unwrap().into_inner();
    assert_eq!((changed.name.as_str(), changed.phone.as_str()), ("Sam Seller", "+4930123456"));
    let changed = people.update_profile(update(Some("Samuel"), None)).await.unwrap().into_inner();
    assert_eq!((changed.name.as_str(), changed.phone.as_str()), ("Samuel", "+4930123456"));
    let changed = people.update_profile(update(None, Some(""))).await.unwrap().into_inner();
    assert_eq!(changed.phone, "");
    for (name, phone) in [(Some(""), None), (None, Some("call me"))] {
        assert_eq!(code(people.update_profile(update(name, phone)).await), "invalid_field");
    }
}

/// Whoever reads the tables, the outbox included, can neither sign in nor use a link.
#[tokio::test]
async fn of_tokens_only_hashes_are_kept() {
    use sha2::{Digest as _, Sha256};

    let world = World::start().await;
    let (_, mut mails) = somebody(&world).await;
    let session = world.session("sam@example.com").await.token;
    forgot(&world, "sam@example.com").await;
    let (_, contents) = mails.next_to("sam@example.com").await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'accounts' ORDER BY 1",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap();
    assert!(tables.len() > 8, "{tables:?}");
    for token in [&session, &contents.token] {
        let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
        for table in &tables {
            let sql =
                format!("SELECT count(*) FROM {table} t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, $2) > 0");
            let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .bind(token)
                .bind(&hex)
                .fetch_one(world.db.pool())
                .await
                .unwrap();
            assert_eq!(found, 0, "a token is in {table}");
        }
    }
    for (sql, token) in [
        ("SELECT count(*) FROM accounts.sessions WHERE sha256 = $1", &session),
        ("SELECT count(*) FROM accounts.one_time_tokens WHERE sha256 = $1", &contents.token),
    ] {
        let known: i64 =
            sqlx::query_scalar(sql).bind(Sha256::digest(token).to_vec()).fetch_one(world.db.pool()).await.unwrap();
        assert_eq!(known, 1, "{sql}");
    }
}
