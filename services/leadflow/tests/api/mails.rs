//! Mails to people: what they ask for arrives, and its link works once.

use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    world::{PASSWORD, PATIENCE, World},
};

/// The sandbox, where mails arrive.
struct Mailbox(Client);

impl Mailbox {
    fn of(world: &World) -> Self {
        Self(Client::without_document(&world.cluster.http_urls("sandbox")[0]))
    }

    /// All mails to this address with this subject, the newest first.
    async fn mails(&self, to: &str, subject: &str) -> Vec<Value> {
        let listed = self.0.get(&format!("/api/mails?to={to}"), "").await.ok(200);
        listed["mails"].as_array().unwrap().iter().filter(|mail| mail["subject"] == subject).cloned().collect()
    }

    /// Waits for the only one.
    async fn mail(&self, to: &str, subject: &str) -> Value {
        let mails = wait::until_some(format!("the mail \"{subject}\" arrives"), PATIENCE, async || {
            Some(self.mails(to, subject).await).filter(|mails| !mails.is_empty())
        })
        .await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails[0].clone()
    }

    /// Fills in the form behind a mail's link, as a person would.
    async fn follow(&self, mail: &Value, form: &[(&str, &str)]) -> Answer {
        let link = mail["links"][0].as_str().unwrap();
        let path = link.strip_prefix(&self.0.base).unwrap_or_else(|| panic!("{link} is another's"));
        let page = self.0.send(Method::GET, path, &[], None).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let (path, token) = path.split_once("?token=").unwrap();
        let mut body = format!("token={token}");
        for (name, value) in form {
            body += &format!("&{name}={}", value.replace(' ', "+"));
        }
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.0.send(Method::POST, path, &kind, Some(body.into())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_through_the_mail_and_ends_every_session() {
    const NEW: &str = "quite another walk 93";
    let world = World::start().await;
    let mailbox = Mailbox::of(&world);
    let (seller, _) = world.seller("forgot").await;
    for email in ["FORGOT@seller.example", "nobody@seller.example"] {
        world.client.post("/api/auth/forgot-password", "", &json!({ "email": email })).await.ok(202);
    }
    let mail = mailbox.mail(&seller.email, "Choose a new password").await;
    assert_eq!(mail["from"], "noreply@leadflow.example");
    assert!(mail["messageId"].as_str().is_some_and(|id| id.starts_with("msg_")), "{mail}");
    for part in ["text", "html"] {
        assert!(mail[part].as_str().is_some_and(|text| text.contains("Hello forgot,")), "{mail}");
    }
    assert!(mailbox.mails("nobody@seller.example", "Choose a new password").await.is_empty());

    let weak = mailbox.follow(&mail, &[("password", "short")]).await;
    assert_eq!(weak.status, 422, "{}", weak.text);
    assert_eq!(mailbox.follow(&mail, &[("password", NEW)]).await.status, 200);
    world.client.get("/api/auth/session", &seller.token).await.refused(401);
    let log_in = async |password: &str| {
        world.client.post("/api/auth/login", "", &json!({ "email": seller.email, "password": password })).await
    };
    log_in(PASSWORD).await.refused(401);
    log_in(NEW).await.ok(200);
    let again = mailbox.follow(&mail, &[("password", PASSWORD)]).await;
    assert_eq!(again.status, 404, "a link works once: {}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_confirmed_through_the_mail() {
    let world = World::start().await;
    let mailbox = Mailbox::of(&world);
    let (seller, _) = world.seller("confirm").await;
    assert_eq!(seller.user["emailVerified"], json!(false), "{}", seller.user);
    let first = mailbox.mail(&seller.email, "Confirm your e-mail address").await;
    world.client.call(Method::POST, "/api/auth/send-verification", &seller.token, None).await.ok(202);
    let second = wait::until_some("another mail arrives", PATIENCE, async || {
        let mails = mailbox.mails(&seller.email, "Confirm your e-mail address").await;
        (mails.len() == 2).then(|| mails[0].clone())
    })
    .await;
    let replaced = mailbox.follow(&first, &[]).await;
    assert_eq!(replaced.status, 404, "the newest counts: {}", replaced.text);
    assert_eq!(mailbox.follow(&second, &[]).await.status, 200);
    let shown = world.client.get("/api/auth/session", &seller.token).await.ok(200);
    assert_eq!(shown["user"]["emailVerified"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_people_register_all_the_same() {
    let world = World::with(&[("SMTP_HOST", "")]).await;
    let (seller, _) = world.seller("mailless").await;
    world.client.get("/api/auth/session", &seller.token).await.ok(200);
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    wait::until("the mail waits", PATIENCE, async || {
        let waiting = "SELECT count(*) FROM notifier.messages WHERE status = 'WAITING' AND contents IS NOT NULL";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() == 1
    })
    .await;
}
