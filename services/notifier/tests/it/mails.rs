//! Mails to people: each is sent once, or visibly not.

use std::{sync::Arc, time::Duration};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use http::{HeaderMap, Method};
use leadflow_contracts::{Event as _, events};
use leadflow_kernel::{EventId, MailId, MessageId, SellerId, UserId};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler as _, HandleError},
    outbox::{Outbox, Relay},
};
use leadflow_notifier::{
    MailSettings, SCHEMA,
    app::{Notifier, Queue},
    inbound::events::MailsWanted,
    outbound::email::{Email, Provider},
};
use leadflow_outbound_http::{Client, Options};
use leadflow_outbound_mail::{Mailer, SmtpSettings, Tls};
use leadflow_platform::{Shutdown, grpc::ServiceToken};
use leadflow_testkit::wait;
use prost::Message as _;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::net::TcpListener;

use crate::{
    usage::Heard,
    world::{PATIENCE, TOKEN, World, places},
};

const ADDRESS: &str = "sam@example.com";
const SECRET: &str = "thetokenthatnobodymaysee";

/// A mail server, and what it was given.
pub struct Sandbox {
    pub smtp: SmtpSettings,
    pub base: String,
    client: Client,
    stop: Shutdown,
}

impl Sandbox {
    pub async fn start() -> Self {
        Self::with(leadflow_sandbox::Config::default(), Arc::new(leadflow_kernel::SystemClock)).await
    }

    pub async fn with(config: leadflow_sandbox::Config, clock: Arc<dyn leadflow_kernel::Clock>) -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = leadflow_sandbox::Listeners { http: bind().await.unwrap(), smtp: bind().await.unwrap() };
        let smtp = SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: listeners.smtp.local_addr().unwrap().port(),
            tls: Tls::None,
            credentials: Some(("user".to_owned(), "password".to_owned())),
            from: "LeadFlow <noreply@leadflow.example>".to_owned(),
            timeout: PATIENCE,
        };
        let base = format!("http://{}", listeners.http.local_addr().unwrap());
        let stop = Shutdown::new();
        tokio::spawn(leadflow_sandbox::run_at(config, listeners, clock, stop.clone()));
        let options = Options { allow_loopback: true, body_cap: 1 << 20, ..Options::default() };
        Self { smtp, base, client: Client::new(options).unwrap(), stop }
    }

    fn mails(&self) -> Queue<Email> {
        mails(Some(Mailer::new(&self.smtp).unwrap()))
    }

    pub async fn arrived(&self) -> Vec<Value> {
        let url = format!("{}/api/mails", self.base);
        let answer = self.client.send(Method::GET, &url, HeaderMap::new(), Vec::new().into()).await.unwrap();
        let listed: Value = serde_json::from_slice(&answer.body).unwrap();
        listed["mails"].as_array().unwrap().clone()
    }

    /// Tells the sandbox something.
    pub async fn say(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let url = format!("{}{path}", self.base);
        let answer = self.client.send(method, &url, headers, body.to_string().into()).await.unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    async fn refuse(&self, status: u16, next: u32) {
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let (url, body) = (format!("{}/api/mails/behaviour", self.base), json!({ "status": status, "next": next }));
        let answer = self.client.send(Method::PUT, &url, headers, body.to_string().into()).await.unwrap();
        assert_eq!(answer.status, 204);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn mails(mailer: Option<Mailer>) -> Queue<Email> {
    Queue::new(Email::new(mailer.map(Provider::Smtp), places(), &ServiceToken::new(TOKEN)).unwrap(), 50)
}

/// A mail as accounts asks for it.
fn wanted(world: &World, kind: events::MailKind, seconds: i64) -> events::MailWanted {
    let id = MailId::new().to_string();
    let contents = events::MailContents {
        email: ADDRESS.into(),
        name: "Sam".into(),
        token: SECRET.into(),
        company_name: "Acme".into(),
    };
    let cipher = Aes256Gcm::new(&ServiceToken::new(TOKEN).derive_key("mail contents").into());
    let payload = Payload { msg: &contents.encode_to_vec(), aad: id.as_bytes() };
    let sealed = cipher.encrypt(Nonce::from_slice(&[7; 12]), payload).unwrap();
    events::MailWanted {
        mail_id: id,
        kind: kind.into(),
        user_id: UserId::new().to_string(),
        seller_id: SellerId::new().to_string(),
        sealed: [&[7; 12][..], &sealed].concat().into(),
        expires_at_ms: world.now().timestamp_millis() + seconds * 1_000,
    }
}

fn message(event: &events::MailWanted) -> Message {
    Message {
        id: EventId::new(),
        subject: event.subject(),
        kind: events::MailWanted::TYPE.to_owned(),
        traceparent: None,
        payload: event.encode_to_vec().into(),
        delivered: 1,
        sequence: 1,
    }
}

/// The use cases and the handler, without the loops around them.
fn bare(world: &World) -> (Notifier, MailsWanted) {
    let (relay, relaying) =
        Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
    tokio::spawn(relaying);
    let (clock, keys) = (Arc::new(world.clock.clone()), world.config().keys);
    let client = Client::new(Options::default()).unwrap();
    let notifier = Notifier::new(world.db.pool().clone(), relay, clock, keys, client, Duration::from_secs(60));
    let handler = MailsWanted { notifier: notifier.clone() };
    (notifier, handler)
}

/// Status, attempts, error, and whether contents are kept, of the only mail.
async fn row(world: &World) -> (String, i32, String, bool) {
    let row = sqlx::query("SELECT status, attempts_made, error, contents IS NOT NULL AS kept FROM notifier.messages")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    (row.get("status"), row.get("attempts_made"), row.get("error"), row.get("kept"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_arrives_with_its_link_and_leaves_no_token_behind() {
    let sandbox = Sandbox::start().await;
    let mut world = World::empty().await;
    for _ in 0..2 {
        world.replica(|config| config.mail = Some(MailSettings::Smtp(sandbox.smtp.clone()))).await;
    }
    world.publish(&wanted(&world, events::MailKind::ResetPassword, 3_600)).await;
    world.publish(&wanted(&world, events::MailKind::VerifyEmail, 3_600)).await;
    // Who is invited is no user yet.
    let invitation = wanted(&world, events::MailKind::TeamInvitation, 3_600);
    world.publish(&events::MailWanted { user_id: String::new(), ..invitation }).await;
    wait::until("all mails are sent", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT' AND contents IS NULL").await == 3
    })
    .await;
    let arrived = sandbox.arrived().await;
    assert_eq!(arrived.len(), 3, "{arrived:?}");
    for (page, subject) in [
        ("reset-password", "Choose a new password"),
        ("verify-email", "Confirm your e-mail address"),
        ("accept-invitation", "You are invited to a team on LeadFlow"),
    ] {
        let mail = arrived.iter().find(|mail| mail["subject"] == subject).unwrap();
        let link = format!("https://app.example.com/{page}?token={SECRET}");
        assert_eq!((&mail["to"], &mail["links"]), (&json!([ADDRESS]), &json!([link])));
        assert!(mail["html"].as_str().is_some_and(|html| html.contains(&link)), "{mail}");
    }
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT m::text FROM notifier.messages m").fetch_all(world.db.pool()).await.unwrap();
    assert!(kept.iter().all(|row| !row.contains(ADDRESS) && !row.contains(SECRET)), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_before_the_token_was_replaced_is_sent_while_both_are_set() {
    let sandbox = Sandbox::start().await;
    let mut world = World::empty().await;
    world
        .replica(|config| {
            config.mail = Some(MailSettings::Smtp(sandbox.smtp.clone()));
            config.token = ServiceToken::new(format!("a newer token of the tests,{TOKEN}"));
        })
        .await;
    world.publish(&wanted(&world, events::MailKind::ResetPassword, 3_600)).await;
    wait::until("the mail is sent", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT'").await == 1
    })
    .await;
    assert_eq!(sandbox.arrived().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_told_twice_and_sent_by_two_at_once_is_one() {
    let (sandbox, world) = (Sandbox::start().await, World::empty().await);
    let ((one, handler), (other, other_handler)) = (bare(&world), bare(&world));
    let told = message(&wanted(&world, events::MailKind::ResetPassword, 3_600));
    let twice = [told.clone(), told.clone()];
    let wanted = events::MailWanted::decode(told.payload.clone()).unwrap();
    let told_id = MessageId::from_uuid(wanted.mail_id.parse::<MailId>().unwrap().uuid()).to_string();
    let (a, b) = tokio::join!(handler.handle(&twice), other_handler.handle(&twice));
    a.and(b).unwrap();
    let mails = sandbox.mails();
    let (a, b) = tokio::join!(one.send_messages(&mails), other.send_messages(&mails));
    assert_eq!(a.unwrap() + b.unwrap(), 1);
    handler.handle(&twice).await.unwrap();
    assert_eq!(one.send_messages(&mails).await.unwrap(), 0);
    let arrived = sandbox.arrived().await;
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0]["messageId"], format!("{told_id}@leadflow.example"));

    // Who dies between sending and recording leaves a mail that is sent again, and known by its id.
    sqlx::query(
        "UPDATE notifier.messages SET status = 'WAITING', ended_at = NULL, contents = $1, lease = $2, due_at = now()",
    )
    .bind(wanted.sealed.to_vec())
    .bind(uuid::Uuid::now_v7())
    .execute(world.db.pool())
    .await
    .unwrap();
    world.advance(1_000_000_000);
    sqlx::query("UPDATE notifier.messages SET expires_at = due_at + interval '1000 years'")
        .execute(world.db.pool())
        .await
        .unwrap();
    assert_eq!(other.send_messages(&mails).await.unwrap(), 1);
    let arrived = sandbox.arrived().await;
    assert_eq!((arrived.len(), &arrived[0]["repeated"]), (2, &json!(true)));
    // Whose it is pays for it once: sent again, it is the same message.
    let told = Heard::on(&world).wait_for(1).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].message_id.clone(), told[0].kind(), told[0].units), (told_id, events::UsageKind::Email, 1));
    assert_eq!((&told[0].seller_id, told[0].buyer_id.as_str()), (&wanted.seller_id, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_not_sent_or_belongs_to_no_tenant_is_not_paid_for() {
    let (sandbox, world) = (Sandbox::start().await, World::empty().await);
    let (notifier, handler) = bare(&world);
    let mails = sandbox.mails();
    let administrators =
        events::MailWanted { seller_id: String::new(), ..wanted(&world, events::MailKind::ResetPassword, 3_600) };
    handler.handle(&[message(&administrators)]).await.unwrap();
    assert_eq!(notifier.send_messages(&mails).await.unwrap(), 1);
    for status in [451, 550] {
        sandbox.refuse(status, 1).await;
        handler.handle(&[message(&wanted(&world, events::MailKind::VerifyEmail, 60))]).await.unwrap();
        assert_eq!(notifier.send_messages(&mails).await.unwrap(), 1);
    }
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT'").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM notifier.outbox").await, 0, "nothing to tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_mail_is_recorded_and_a_busy_server_is_asked_again() {
    let (sandbox, world) = (Sandbox::start().await, World::empty().await);
    let (notifier, handler) = bare(&world);
    let mails = sandbox.mails();
    handler.handle(&[message(&wanted(&world, events::MailKind::VerifyEmail, 36_000))]).await.unwrap();
    sandbox.refuse(451, 2).await;
    for attempt in 1..=2 {
        assert_eq!(notifier.send_messages(&mails).await.unwrap(), 1);
        let (status, attempts, error, kept) = row(&world).await;
        assert_eq!((status.as_str(), attempts, kept), ("WAITING", attempt, true), "{error}");
        assert!(error.contains("451") && !error.contains(ADDRESS), "{error}");
        assert_eq!(notifier.send_messages(&mails).await.unwrap(), 0, "not before its time");
        world.advance(600);
    }
    assert_eq!(notifier.send_messages(&mails).await.unwrap(), 1);
    assert_eq!(row(&world).await, ("SENT".to_owned(), 3, String::new(), false));

    sqlx::query("DELETE FROM notifier.messages").execute(world.db.pool()).await.unwrap();
    handler.handle(&[message(&wanted(&world, events::MailKind::VerifyEmail, 36_000))]).await.unwrap();
    sandbox.refuse(550, 1).await;
    assert_eq!(notifier.send_messages(&mails).await.unwrap(), 1);
    let (status, attempts, error, kept) = row(&world).await;
    assert_eq!((status.as_str(), attempts, kept), ("REFUSED", 1, false));
    assert!(error.contains("550") && !error.contains(ADDRESS), "{error}");
    world.advance(3_600);
    assert_eq!(notifier.send_messages(&mails).await.unwrap(), 0);
    assert_eq!(sandbox.arrived().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_mails_wait_until_their_links_are_of_no_use() {
    let (sandbox, world) = (Sandbox::start().await, World::empty().await);
    let (notifier, handler) = bare(&world);
    let [short, long] = [60, 600].map(|life| message(&wanted(&world, events::MailKind::ResetPassword, life)));
    handler.handle(&[short, long]).await.unwrap();
    assert_eq!(notifier.send_messages(&mails(None)).await.unwrap(), 0);
    world.advance(120);
    assert_eq!(notifier.send_messages(&mails(None)).await.unwrap(), 0);
    assert_eq!(notifier.expire_messages().await.unwrap(), 1);
    let ended = "SELECT count(*) FROM notifier.messages WHERE status = 'EXPIRED' AND contents IS NULL AND error <> ''";
    assert_eq!(world.count(ended).await, 1);
    // When there is one at last, what is still of use is sent.
    assert_eq!(notifier.send_messages(&sandbox.mails()).await.unwrap(), 1);
    assert_eq!(sandbox.arrived().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_and_a_mail_that_cannot_be_opened_are_tried_again() {
    let world = World::empty().await;
    let (notifier, handler) = bare(&world);
    let nobody = SmtpSettings { port: 9, ..Sandbox::start().await.smtp.clone() };
    let away = mails(Some(Mailer::new(&nobody).unwrap()));
    handler.handle(&[message(&wanted(&world, events::MailKind::ResetPassword, 3_600))]).await.unwrap();
    assert_eq!(notifier.send_messages(&away).await.unwrap(), 1);
    assert_eq!(row(&world).await.0, "WAITING");
    world.advance(600);
    let other = Email::new(
        Some(Provider::Smtp(Mailer::new(&nobody).unwrap())),
        places(),
        &ServiceToken::new("another secret of the services"),
    )
    .unwrap();
    let other = Queue::new(other, 50);
    assert_eq!(notifier.send_messages(&other).await.unwrap(), 1);
    let (status, attempts, error, _) = row(&world).await;
    assert_eq!((status.as_str(), attempts), ("WAITING", 2));
    assert!(error.contains("SERVICE_TOKEN"), "{error}");

    // A kind that this release does not know is for the dead letters, where a later one finds it.
    let unknown = events::MailWanted { kind: 99, ..wanted(&world, events::MailKind::Unspecified, 3_600) };
    assert!(matches!(handler.handle(&[message(&unknown)]).await, Err(HandleError::Permanent(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_release_before_left_in_its_own_table_is_sent_once() {
    let (sandbox, world) = (Sandbox::start().await, World::empty().await);
    let (notifier, handler) = bare(&world);
    let events = [0; 3].map(|_| wanted(&world, events::MailKind::ResetPassword, 3_600));
    // One waits for its next attempt, one is being sent by a replica of that release, one was sent.
    for (event, (status, lease, due)) in events.iter().zip([
        ("WAITING", None, Some(300)),
        ("WAITING", Some(uuid::Uuid::now_v7()), Some(60)),
        ("SENT", None, None),
    ]) {
        sqlx::query(
            "INSERT INTO notifier.mails (event_id, mail_id, seller_id, kind, sealed, expires_at, status, attempts_made, \
               due_at, lease, created_at, ended_at) \
             VALUES (gen_random_uuid(), $1, $2, 'RESET_PASSWORD', CASE WHEN $3 = 'WAITING' THEN $4 END, $5, $3, 1, $6, \
               $7, $8, CASE WHEN $3 = 'SENT' THEN $8 END)",
        )
        .bind(event.mail_id.parse::<MailId>().unwrap().uuid())
        .bind(event.seller_id.parse::<SellerId>().unwrap().uuid())
        .bind(status)
        .bind(event.sealed.to_vec())
        .bind(world.now() + chrono::TimeDelta::hours(1))
        .bind(due.map(|seconds| world.now() + chrono::TimeDelta::seconds(seconds)))
        .bind(lease)
        .bind(world.now())
        .execute(world.db.pool())
        .await
        .unwrap();
    }
    assert_eq!(notifier.carry_over_mails().await.unwrap(), 1);
    assert_eq!(notifier.carry_over_mails().await.unwrap(), 0);
    // It is not heard of again, though it was asked for again.
    handler.handle(&[message(&events[0])]).await.unwrap();
    assert_eq!(notifier.send_messages(&sandbox.mails()).await.unwrap(), 0, "not before its time");
    world.advance(61);
    assert_eq!(notifier.carry_over_mails().await.unwrap(), 1, "that replica has died");
    world.advance(300);
    assert_eq!(notifier.send_messages(&sandbox.mails()).await.unwrap(), 2);
    assert_eq!(sandbox.arrived().await.len(), 2);
    assert_eq!(world.count("SELECT count(*) FROM notifier.mails WHERE status = 'WAITING'").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM notifier.message_attempts WHERE number = 2").await, 2);
}

/// Sends to that sandbox.
pub fn mails_of(sandbox: &Sandbox) -> Queue<Email> {
    sandbox.mails()
}
