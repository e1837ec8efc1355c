//! The same person several times at once, at two replicas.

use futures::future::join_all;
use leadflow_contracts::accounts::VerifyEmailRequest;
use leadflow_platform::grpc::stable_code;

use crate::{
    browser::{Browser, Google, JANE, as_seller, plain},
    world::unbound,
};

const CALLERS: usize = 8;

/// Finishes all at once, and gives the users' ids and how many were registered.
async fn all_at_once(google: &Google, browsers: &[Browser]) -> (Vec<String>, usize) {
    let replicas = [google.world.people(), google.world.people_of_a_replica().await];
    let finishing = browsers.iter().enumerate().map(|(number, browser)| browser.finish(replicas[number % 2].clone()));
    let answers = join_all(finishing).await.into_iter().map(|answer| answer.unwrap().into_inner()).collect::<Vec<_>>();
    let registered = answers.iter().filter(|answer| answer.registered).count();
    (answers.into_iter().map(|answer| answer.session.unwrap().user.unwrap().user_id).collect(), registered)
}

#[tokio::test(flavor = "multi_thread")]
async fn first_sign_ins_of_one_person_at_once_make_one_account() {
    let google = Google::start().await;
    let mut browsers = Vec::new();
    for _ in 0..CALLERS {
        browsers.push(google.back(as_seller(), &JANE).await);
    }
    let (users, registered) = all_at_once(&google, &browsers).await;
    assert!(users.iter().all(|user| *user == users[0]));
    assert_eq!(registered, 1);
    for table in [
        "SELECT count(*) FROM accounts.users",
        "SELECT count(*) FROM accounts.sellers",
        "SELECT count(*) FROM accounts.google_identities",
    ] {
        assert_eq!(google.world.count(table).await, 1, "{table}");
    }
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.sessions").await, CALLERS as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_linked_once() {
    let google = Google::start().await;
    let mut mails = google.world.mails().await;
    let user = google.world.registered_seller(JANE.email).await.user.unwrap();
    let (_, mail) = mails.next_to(JANE.email).await;
    google.world.people().verify_email(unbound(VerifyEmailRequest { token: mail.token })).await.unwrap();
    let mut browsers = Vec::new();
    for _ in 0..CALLERS {
        browsers.push(google.back(plain(), &JANE).await);
    }
    let (users, registered) = all_at_once(&google, &browsers).await;
    assert!(users.iter().all(|id| *id == user.user_id));
    assert_eq!(registered, 0);
    let linked = "SELECT count(*) FROM accounts.audit_entries WHERE action = 'user.google_linked'";
    assert_eq!(google.world.count(linked).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_way_back_taken_at_once_leads_in_once() {
    let google = Google::start().await;
    let browser = google.back(as_seller(), &JANE).await;
    let replicas = [google.world.people(), google.world.people_of_a_replica().await];
    let answers = join_all((0..CALLERS).map(|number| browser.finish(replicas[number % 2].clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(refusals.map(stable_code).all(|code| code == "google_state_unknown"));
    assert_eq!(google.world.count("SELECT count(*) FROM accounts.sessions").await, 1);
}
