//! Whose account a Google account opens, and whose it never does.

use leadflow_contracts::{
    accounts::{
        CreateAdminRequest, ForgotPasswordRequest, Member, RemoveUserRequest, ResetPasswordRequest, UpdateBuyerRequest,
        User, VerifyEmailRequest,
    },
    common::Status,
};
use leadflow_kernel::UserId;
use serde_json::json;

use crate::{
    browser::{Google, JANE, Jane, as_buyer, as_seller, plain},
    someone::{ADDRESS, PASSWORD, tenant},
    world::{Mails, as_tenant, by, code, unbound},
};

const STALE: Jane = Jane { hosted: false, ..JANE };
const IDENTITIES: &str = "SELECT count(*) FROM accounts.google_identities";

impl Google {
    async fn verify(&self, mails: &mut Mails) {
        let (_, mail) = mails.next_to(JANE.email).await;
        self.world.people().verify_email(unbound(VerifyEmailRequest { token: mail.token })).await.unwrap();
    }

    async fn reset(&self, mails: &mut Mails, password: &str) {
        let forgot = ForgotPasswordRequest { email: JANE.email.into(), address: ADDRESS.into() };
        self.world.people().forgot_password(unbound(forgot)).await.unwrap();
        let (_, mail) = mails.next_to(JANE.email).await;
        let reset = ResetPasswordRequest { token: mail.token, password: password.into() };
        self.world.people().reset_password(unbound(reset)).await.unwrap();
    }

    async fn user(&self, who: &Jane) -> User {
        self.sign_in(plain(), who).await.session.unwrap().user.unwrap()
    }
}

#[tokio::test]
async fn an_account_that_a_stranger_registered_with_ones_address_is_not_walked_into() {
    let google = Google::start().await;
    let mut mails = google.world.mails().await;
    // A stranger takes the address before its owner comes, and keeps a session and a password.
    let trap = google.world.registered_seller(JANE.email).await.user.unwrap();
    mails.next_to(JANE.email).await;
    let session = google.world.session(JANE.email).await;
    for wish in [plain(), as_seller()] {
        assert_eq!(google.refused(wish, &JANE).await, "google_account_unlinked");
    }
    assert_eq!(google.world.count(IDENTITIES).await, 0);
    // The owner takes it by a mail, which shuts the stranger out; then Google opens it.
    google.reset(&mut mails, "a better password 71").await;
    assert_eq!(google.world.whose(&session.token).await, None);
    assert_eq!(code(google.world.log_in(JANE.email, PASSWORD).await), "wrong_credentials");
    assert_eq!(google.user(&JANE).await.user_id, trap.user_id);
}

#[tokio::test]
async fn a_verified_account_is_opened_if_google_answers_for_the_address_today() {
    let google = Google::start().await;
    let mut mails = google.world.mails().await;
    let user = google.world.registered_seller("Jane@Example.com").await.user.unwrap();
    let (_, mail) = mails.next_to("Jane@Example.com").await;
    google.world.people().verify_email(unbound(VerifyEmailRequest { token: mail.token })).await.unwrap();
    // Google looked at the address once; whose it is now, it does not know.
    assert_eq!(google.refused(plain(), &STALE).await, "google_account_unlinked");
    assert_eq!(google.user(&JANE).await.user_id, user.user_id);
    // From now on the account counts, not the address, and the password works as before.
    assert_eq!(google.user(&STALE).await.user_id, user.user_id);
    google.claim("email", json!("another@example.org")).await;
    assert_eq!(google.user(&JANE).await.user_id, user.user_id);
    google.world.log_in(JANE.email, PASSWORD).await.unwrap();
    // The address goes to somebody else over there: he is not let in.
    google.claim("sub", json!("99999")).await;
    assert_eq!(google.refused(plain(), &JANE).await, "google_account_unlinked");
    let entries = google.world.entries(tenant(&user)).await;
    let linked: Vec<_> = entries.iter().filter(|entry| entry.action == "user.google_linked").collect();
    assert_eq!((linked.len(), linked[0].actor_user_id.as_str()), (1, user.user_id.as_str()));
}

#[tokio::test]
async fn an_address_that_google_does_not_answer_for_is_verified_by_mail() {
    let google = Google::start().await;
    let mut mails = google.world.mails().await;
    let user = google.sign_in(as_seller(), &STALE).await.session.unwrap().user.unwrap();
    assert!(!user.email_verified);
    google.verify(&mut mails).await;
    let again = google.user(&STALE).await;
    assert_eq!((again.user_id, again.email_verified), (user.user_id, true));
}

#[tokio::test]
async fn whoever_has_the_mailbox_takes_the_account_from_whoever_had_it_before() {
    let google = Google::start().await;
    let mut mails = google.world.mails().await;
    let user = google.sign_in(as_seller(), &JANE).await.session.unwrap().user.unwrap();
    google.reset(&mut mails, "a better password 71").await;
    assert_eq!(google.world.count(IDENTITIES).await, 0);
    google.claim("sub", json!("99999")).await;
    assert_eq!(google.user(&JANE).await.user_id, user.user_id, "the new owner of the mailbox");
    google.misbehave(json!({})).await;
    assert_eq!(google.refused(plain(), &JANE).await, "google_account_unlinked", "the one before");
}

#[tokio::test]
async fn an_administrator_is_not_found_by_his_address() {
    let google = Google::start().await;
    let mut mails = google.world.mails().await;
    let admin = CreateAdminRequest {
        user_id: UserId::new().to_string(),
        email: JANE.email.into(),
        password: PASSWORD.into(),
        name: "Eve".into(),
    };
    google.world.people().create_admin(unbound(admin)).await.unwrap();
    google.verify(&mut mails).await;
    assert_eq!(google.refused(plain(), &JANE).await, "google_account_unlinked");
}

#[tokio::test]
async fn a_buyer_who_is_out_of_use_stays_out() {
    let google = Google::start().await;
    let seller = google.world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    let entered = google.sign_in(as_buyer(&seller.invite_code), &JANE).await.session.unwrap();
    let buyer_id = entered.user.unwrap().buyer_id;
    let pause = UpdateBuyerRequest { buyer_id, status: Some(Status::Paused.into()), ..Default::default() };
    google.world.client().update_buyer(as_tenant(own, pause)).await.unwrap();
    assert_eq!(google.refused(plain(), &JANE).await, "account_suspended");
    assert_eq!(google.world.whose(&entered.token).await, None);
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.sessions").await, 1);
}

#[tokio::test]
async fn whoever_is_removed_from_a_team_does_not_come_back_by_google() {
    let google = Google::start().await;
    let owner = google.world.registered_seller("sam@example.com").await.user.unwrap();
    // Whoever accepts an invitation has shown that the address is his.
    let member = google.world.member(&owner, JANE.email, Member::Manager).await;
    let session = google.sign_in(plain(), &JANE).await.session.unwrap();
    assert_eq!(session.user.unwrap().user_id, member.user_id);
    let remove = RemoveUserRequest { user_id: member.user_id, supplier_id: String::new() };
    google.world.people().remove_user(by(&owner, "OWNER", tenant(&owner), remove)).await.unwrap();
    assert_eq!(google.world.whose(&session.token).await, None);
    assert_eq!(google.world.count(IDENTITIES).await, 0);
    assert_eq!(google.refused(plain(), &JANE).await, "google_account_unknown");
}
