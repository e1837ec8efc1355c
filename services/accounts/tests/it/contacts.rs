//! How buyers are reached, as others are told.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use leadflow_accounts::{SCHEMA, app::Accounts, workers};
use leadflow_contracts::{
    accounts::{
        AddBuyerRequest, ForgotPasswordRequest, ResetPasswordRequest, UpdateProfileRequest, User, VerifyEmailRequest,
    },
    events::BuyerContact,
};
use leadflow_kernel::{BuyerId, UserId};
use leadflow_messaging::{
    outbox::{Outbox, Relay},
    tail::Tail,
};
use leadflow_platform::Shutdown;

use crate::{
    browser::{Google, JANE, as_buyer},
    someone::{ADDRESS, PASSWORD, tenant},
    world::{World, as_tenant, unbound},
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Told(Tail);

impl Told {
    async fn from_now_on(world: &World) -> Self {
        Self(Tail::on(&world.bus, "buyer.contact.*").await.unwrap())
    }

    async fn next(&mut self) -> BuyerContact {
        let (message, _) = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a contact").unwrap();
        let contact: BuyerContact = message.decode().unwrap();
        assert_eq!(message.subject, format!("buyer.contact.{}", contact.buyer_id));
        contact
    }
}

fn contact(user: &User, version: u64, email_verified: bool, phone: &str) -> BuyerContact {
    BuyerContact {
        buyer_id: user.buyer_id.clone(),
        seller_id: user.seller_id.clone(),
        version,
        name: user.name.clone(),
        email: user.email.clone(),
        email_verified,
        phone: phone.to_owned(),
    }
}

fn profile(user: &User, name: Option<&str>, phone: Option<&str>) -> UpdateProfileRequest {
    UpdateProfileRequest {
        user_id: user.user_id.clone(),
        name: name.map(str::to_owned),
        phone: phone.map(str::to_owned),
        check_only: false,
    }
}

#[tokio::test]
async fn every_change_of_a_buyers_person_is_told_and_nothing_else() {
    let world = World::start().await;
    let (mut told, mut mails) = (Told::from_now_on(&world).await, world.mails().await);
    let registered = world.registered_seller("sam@example.com").await;
    let seller = registered.user.unwrap();
    let bea = world.registered_buyer("Bea@example.com", &registered.invite_code).await;
    assert_eq!(told.next().await, contact(&bea, 1, false, "+12125550123"));

    let (_, mail) = mails.next_to("Bea@example.com").await;
    world.people().verify_email(unbound(VerifyEmailRequest { token: mail.token })).await.unwrap();
    assert_eq!(told.next().await, contact(&bea, 2, true, "+12125550123"));

    // A seller's own number is his alone, and what stays as it was is not told again.
    world.people().update_profile(unbound(profile(&seller, Some("Sam S."), Some("+12125550199")))).await.unwrap();
    world.people().update_profile(unbound(profile(&bea, None, Some("+12125550123")))).await.unwrap();
    let tried = UpdateProfileRequest { check_only: true, ..profile(&bea, None, Some("+1 (212) 555-0177")) };
    let tried = world.people().update_profile(unbound(tried)).await.unwrap().into_inner();
    assert_eq!(tried.phone, "+12125550177");
    world.people().update_profile(unbound(profile(&bea, None, Some("")))).await.unwrap();
    assert_eq!(told.next().await, contact(&bea, 3, true, ""));
    world.people().update_profile(unbound(profile(&bea, Some("Bea B."), None))).await.unwrap();
    let renamed = User { name: "Bea B.".into(), ..bea };
    assert_eq!(told.next().await, contact(&renamed, 4, true, ""));

    let add = AddBuyerRequest {
        user_id: UserId::new().to_string(),
        buyer_id: BuyerId::new().to_string(),
        email: "joe@example.com".into(),
        name: "Joe".into(),
        company_name: "Joe Inc".into(),
        priority: 5,
        ..Default::default()
    };
    let joe = world.people().add_buyer(as_tenant(tenant(&seller), add)).await.unwrap().into_inner().user.unwrap();
    assert_eq!(told.next().await, contact(&joe, 1, false, ""));
    // Whoever chooses a password by a link has shown that the address is his.
    let (_, mail) = mails.next_to("joe@example.com").await;
    let reset = ResetPasswordRequest { token: mail.token, password: PASSWORD.into() };
    world.people().reset_password(unbound(reset)).await.unwrap();
    assert_eq!(told.next().await, contact(&joe, 2, true, ""));
    // That is known then, and not told again.
    let forgot = ForgotPasswordRequest { email: "joe@example.com".into(), address: ADDRESS.into() };
    world.people().forgot_password(unbound(forgot)).await.unwrap();
    let (_, mail) = mails.next_to("joe@example.com").await;
    let reset = ResetPasswordRequest { token: mail.token, password: "leads for supper".into() };
    world.people().reset_password(unbound(reset)).await.unwrap();
    world.people().update_profile(unbound(profile(&joe, Some("Joseph"), None))).await.unwrap();
    let renamed = User { name: "Joseph".into(), ..joe };
    assert_eq!(told.next().await, contact(&renamed, 3, true, ""));
}

#[tokio::test]
async fn who_comes_by_google_is_told_with_his_registration() {
    let google = Google::start().await;
    let mut told = Told::from_now_on(&google.world).await;
    let seller = google.world.registered_seller("sam@example.com").await;
    let user = google.sign_in(as_buyer(&seller.invite_code), &JANE).await.session.unwrap().user.unwrap();
    assert_eq!(told.next().await, contact(&user, 1, user.email_verified, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_at_two_replicas_are_told_in_the_order_of_their_versions() {
    let world = World::start().await;
    let registered = world.registered_seller("sam@example.com").await;
    let bea = world.registered_buyer("bea@example.com", &registered.invite_code).await;
    world.outbox_is_empty().await;
    let mut told = Told::from_now_on(&world).await;
    let clients = [world.people(), world.people_of_a_replica().await];
    join_all((0..12_u32).map(|number| {
        let (mut people, phone) = (clients[(number % 2) as usize].clone(), format!("+121255502{number:02}"));
        let request = profile(&bea, None, Some(&phone));
        async move { people.update_profile(unbound(request)).await.unwrap() }
    }))
    .await;
    let mut last = BuyerContact::default();
    for version in 2..=13 {
        last = told.next().await;
        assert_eq!(last.version, version);
    }
    let stored: (String, String, i64) = sqlx::query_as(
        "SELECT u.phone, c.phone, c.version FROM accounts.users u JOIN accounts.buyer_contacts c USING (buyer_id)",
    )
    .fetch_one(world.db.pool())
    .await
    .unwrap();
    assert_eq!(stored, (last.phone.clone(), last.phone, 13));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_there_before_is_told_once_also_by_two_replicas() {
    let mut world = World::start().await;
    let registered = world.registered_seller("sam@example.com").await;
    let mut buyers = Vec::new();
    for number in 0..5 {
        buyers.push(world.registered_buyer(&format!("bea{number}@example.com"), &registered.invite_code).await);
    }
    world.buyer(tenant(registered.user.as_ref().unwrap())).await;
    world.outbox_is_empty().await;
    world.stop().await;
    // As an older release leaves them: one was never told, one was told something else, one is not reached any more.
    for statement in [
        "DELETE FROM accounts.buyer_contacts WHERE email = 'bea0@example.com'",
        "UPDATE accounts.users SET phone = '+12125550777' WHERE email = 'bea1@example.com'",
        "DELETE FROM accounts.users WHERE email = 'bea2@example.com'",
    ] {
        sqlx::query(statement).execute(world.db.pool()).await.unwrap();
    }
    let mut told = Told::from_now_on(&world).await;
    world.start_again().await;
    let _second = world.replica().await;
    let mut seen = vec![told.next().await, told.next().await, told.next().await];
    seen.sort_by_key(|contact| buyers.iter().position(|user| user.buyer_id == contact.buyer_id));
    let nobody = BuyerContact {
        buyer_id: buyers[2].buyer_id.clone(),
        seller_id: buyers[2].seller_id.clone(),
        version: 2,
        ..BuyerContact::default()
    };
    let wanted = [contact(&buyers[0], 1, false, "+12125550123"), contact(&buyers[1], 2, false, "+12125550777"), nobody];
    assert_eq!(seen, wanted);
    // Nothing is left, for anybody: what comes next is the next change.
    world.people().update_profile(unbound(profile(&buyers[3], Some("Bo"), None))).await.unwrap();
    let renamed = User { name: "Bo".into(), ..buyers[3].clone() };
    assert_eq!(told.next().await, contact(&renamed, 2, false, "+12125550123"));
    world.outbox_is_empty().await;
    let appended = "SELECT last_value FROM pg_sequences WHERE sequencename = 'outbox_seq_seq'";
    let before = world.count(appended).await;
    let (relay, _relaying) =
        Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
    let accounts = Accounts::new(world.db.pool().clone(), relay, Arc::new(world.clock.clone()));
    workers::contacts::step(&accounts).await.unwrap();
    assert_eq!(world.count(appended).await, before);
}
