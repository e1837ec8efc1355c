//! Many people at once, at two replicas.

use futures::future::join_all;
use leadflow_accounts::app::people::PeopleRules;
use leadflow_contracts::accounts::{
    AdmitRequest, Allowance, ForgotPasswordRequest, RegisterSellerRequest, ResetPasswordRequest, RevokeSessionsRequest,
    RotateInviteCodeRequest, people_client::PeopleClient,
};
use leadflow_kernel::{SellerId, UserId};
use leadflow_platform::grpc::{Channel, stable_code};

use crate::{
    someone::{ADDRESS, PASSWORD, buyer_request, log_in_request, seller_request, tenant},
    world::{World, as_tenant, unbound},
};

const CALLERS: usize = 12;

async fn callers(world: &World) -> Vec<PeopleClient<Channel>> {
    let clients = [world.people(), world.people_of_a_replica().await];
    (0..CALLERS).map(|number| clients[number % 2].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sellers_with_one_address_at_once_are_one() {
    let world = World::start().await;
    let answers = join_all(callers(&world).await.into_iter().enumerate().map(|(number, mut people)| {
        let email = if number % 2 == 0 { "sam@example.com" } else { "SAM@Example.com" };
        async move { people.register_seller(unbound(seller_request(email))).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|refusal| stable_code(refusal) == "email_exists"));
    for table in [
        "SELECT count(*) FROM accounts.sellers",
        "SELECT count(*) FROM accounts.users",
        "SELECT count(*) FROM accounts.invite_codes",
    ] {
        assert_eq!(world.count(table).await, 1, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_registration_at_once_is_one_and_everybody_is_answered() {
    let world = World::start().await;
    let request = seller_request("sam@example.com");
    let answers = join_all(callers(&world).await.into_iter().map(|mut people| {
        let request = unbound(request.clone());
        async move { people.register_seller(request).await.unwrap().into_inner() }
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let request = buyer_request("bea@example.com", &answers[0].invite_code);
    let answers = join_all(callers(&world).await.into_iter().map(|mut people| {
        let request = unbound(request.clone());
        async move { people.register_buyer(request).await.unwrap().into_inner() }
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.count("SELECT count(*) FROM accounts.users").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM accounts.audit_entries WHERE action = 'user.registered'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_buyer_gets_in_with_a_code_after_it_was_replaced() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    let mut people = callers(&world).await;
    let mut rotator = people.remove(0);
    let rotation = async {
        let request = RotateInviteCodeRequest { expires_in_hours: 0 };
        rotator.rotate_invite_code(as_tenant(own, request)).await.unwrap();
    };
    let registrations = join_all(people.into_iter().enumerate().map(|(number, mut people)| {
        let request = buyer_request(&format!("b{number}@example.com"), &seller.invite_code);
        async move { people.register_buyer(unbound(request)).await }
    }));
    let ((), answers) = tokio::join!(rotation, registrations);
    for refusal in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(stable_code(refusal), "invite_not_found");
    }
    let after = buyer_request("late@example.com", &seller.invite_code);
    assert_eq!(stable_code(&world.people().register_buyer(unbound(after)).await.unwrap_err()), "invite_not_found");
    // Those who got in were there before the code was replaced: none was written after it.
    let late = "SELECT count(*) FROM accounts.invite_codes WHERE replaced_at IS NULL";
    assert_eq!(world.count(late).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_replaced_at_once_leave_one() {
    let world = World::start().await;
    let own = tenant(&world.registered_seller("sam@example.com").await.user.unwrap());
    let codes = join_all(callers(&world).await.into_iter().map(|mut people| async move {
        let request = RotateInviteCodeRequest { expires_in_hours: 0 };
        people.rotate_invite_code(as_tenant(own, request)).await.unwrap().into_inner().code
    }))
    .await;
    assert!(codes.contains(&world.invite_code(own).await));
    assert_eq!(world.count("SELECT count(*) FROM accounts.invite_codes WHERE replaced_at IS NULL").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM accounts.invite_codes").await, 1 + CALLERS as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_tried_at_once_are_all_counted() {
    let world = World::with_rules(PeopleRules { passwords_tried: 4, ..PeopleRules::default() }).await;
    world.registered_seller("sam@example.com").await;
    let answers = join_all(callers(&world).await.into_iter().map(|mut people| async move {
        people.log_in(unbound(log_in_request("sam@example.com", "leads for dinner"))).await.unwrap_err()
    }))
    .await;
    let tried = answers.iter().filter(|refusal| stable_code(refusal) == "wrong_credentials").count();
    let refused = answers.iter().filter(|refusal| stable_code(refusal) == "throttled").count();
    assert_eq!((tried, refused), (4, CALLERS - 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_do_not_pass_the_limit() {
    let world = World::with_rules(PeopleRules { reads: 5, ..PeopleRules::default() }).await;
    let answers = join_all(callers(&world).await.into_iter().map(|mut people| async move {
        let request = AdmitRequest { token: String::new(), address: ADDRESS.into(), allowance: Allowance::Read.into() };
        people.admit(unbound(request)).await.unwrap().into_inner().allowed
    }))
    .await;
    assert_eq!(answers.iter().filter(|allowed| **allowed).count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_used_at_once_sets_one_password() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    world.registered_seller("sam@example.com").await;
    mails.next_to("sam@example.com").await;
    let forgot = ForgotPasswordRequest { email: "sam@example.com".into(), address: ADDRESS.into() };
    world.people().forgot_password(unbound(forgot)).await.unwrap();
    let (_, link) = mails.next_to("sam@example.com").await;
    let answers = join_all(callers(&world).await.into_iter().enumerate().map(|(number, mut people)| {
        let request =
            ResetPasswordRequest { token: link.token.clone(), password: format!("leads for breakfast {number}") };
        async move { people.reset_password(unbound(request)).await }
    }))
    .await;
    let winners: Vec<usize> = (0..CALLERS).filter(|number| answers[*number].is_ok()).collect();
    assert_eq!(winners.len(), 1);
    world.log_in("sam@example.com", &format!("leads for breakfast {}", winners[0])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_revoked_while_it_is_used_stays_ended() {
    let world = World::start().await;
    let user = world.registered_seller("sam@example.com").await.user.unwrap();
    for _ in 0..5 {
        let session = world.session("sam@example.com").await;
        // So long unused that its next use is written down.
        world.advance(5 * 86_400);
        let uses = join_all(callers(&world).await.into_iter().map(|mut people| {
            let token = session.token.clone();
            async move {
                let request = AdmitRequest { token, address: ADDRESS.into(), allowance: Allowance::Read.into() };
                people.admit(unbound(request)).await.unwrap();
            }
        }));
        let revoke = async {
            let request = RevokeSessionsRequest { user_id: user.user_id.clone(), ..Default::default() };
            world.people().revoke_sessions(unbound(request)).await.unwrap();
        };
        tokio::join!(uses, revoke);
        assert_eq!(world.whose(&session.token).await, None);
        assert_eq!(world.count("SELECT count(*) FROM accounts.sessions").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_with_many_contents_goes_to_one_of_them() {
    let world = World::start().await;
    let (user_id, seller_id) = (UserId::new().to_string(), SellerId::new().to_string());
    let answers = join_all(callers(&world).await.into_iter().enumerate().map(|(number, mut people)| {
        let request = RegisterSellerRequest {
            user_id: user_id.clone(),
            seller_id: seller_id.clone(),
            password: PASSWORD.into(),
            ..seller_request(&format!("sam{number}@example.com"))
        };
        async move { people.register_seller(unbound(request)).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(world.count("SELECT count(*) FROM accounts.users").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM accounts.sellers").await, 1);
}
