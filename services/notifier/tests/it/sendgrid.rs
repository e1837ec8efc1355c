//! Mails through SendGrid, and what it tells of them afterwards.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use chrono::TimeDelta;
use http::Method;
use leadflow_contracts::events::UsageKind;
use leadflow_kernel::{BuyerId, MessageId};
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier::{
    SCHEMA,
    app::{EventsError, Notifier, Queue},
    outbound::email::{Email, Provider, SendGrid, SendGridSettings},
    sendgrid_key::EventKey,
    store::messages::NewMessage,
};
use leadflow_notifier_domain::{Channel, MessageKind, News};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::{Shutdown, grpc::ServiceToken};
use leadflow_testkit::wait;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{
    mails::Sandbox,
    usage::Heard,
    world::{PATIENCE, TOKEN, World, places},
};

const ADDRESS: &str = "sam@buyer.example";

type Call = (HashMap<String, String>, Bytes);

struct Post {
    world: World,
    sandbox: Sandbox,
    notifier: Notifier,
    queue: Queue<Email>,
    key: EventKey,
    calls: UnboundedReceiver<Call>,
    buyer: BuyerId,
}

async fn called(State(calls): State<UnboundedSender<Call>>, headers: HeaderMap, body: Bytes) {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    calls.send((headers, body)).unwrap();
}

impl Post {
    async fn start() -> Self {
        let world = World::empty().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (sender, calls) = unbounded_channel();
        let webhook = format!("http://{}/events", listener.local_addr().unwrap());
        let router = Router::new().route("/events", post(called)).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config =
            leadflow_sandbox::Config { sendgrid_webhook_url: Some(webhook), ..leadflow_sandbox::Config::default() };
        let clock = Arc::new(world.clock.clone());
        let sandbox = Sandbox::with(config, clock.clone()).await;
        let (_, key) = sandbox.say(Method::GET, "/api/sendgrid/key", Value::Null).await;
        let (relay, relaying) =
            Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
        tokio::spawn(relaying);
        let client = Client::new(Options::default()).unwrap();
        let keys = world.config().keys;
        let lease = Duration::from_secs(60);
        let notifier = Notifier::new(world.db.pool().clone(), relay, clock.clone(), keys, client, lease);
        let settings = SendGridSettings {
            base: leadflow_sandbox::sendgrid_api(&sandbox.base).parse().unwrap(),
            key: "SG.test".into(),
            from: "noreply@leadflow.example".into(),
            timeout: Duration::from_secs(2),
        };
        let provider = Provider::SendGrid(SendGrid::new(&settings, clock).unwrap());
        let email = Email::new(Some(provider), places(), &ServiceToken::new(TOKEN)).unwrap();
        let buyer = BuyerId::new();
        sqlx::query(
            "WITH seller AS (INSERT INTO notifier.sellers VALUES ($1, 1, 'Acme Solar', 'America/New_York')) \
             INSERT INTO notifier.buyers (buyer_id, seller_id, contact_name, email, email_verified) \
             VALUES ($2, $1, 'Sam Lee', $3, true)",
        )
        .bind(world.seller.uuid())
        .bind(buyer.uuid())
        .bind(ADDRESS)
        .execute(world.db.pool())
        .await
        .unwrap();
        let key = EventKey::parse(key["publicKey"].as_str().unwrap()).unwrap();
        Self { world, sandbox, notifier, queue: Queue::new(email, 50), key, calls, buyer }
    }

    async fn behave(&self, mode: &str) {
        let body = json!({ "mode": mode, "next": 1 });
        assert_eq!(self.sandbox.say(Method::PUT, "/api/sendgrid/behaviour", body).await.0, 204);
    }

    async fn ask(&self) -> MessageId {
        let message = NewMessage {
            id: MessageId::new(),
            seller: Some(self.world.seller),
            buyer: Some(self.buyer),
            channel: Channel::Email,
            kind: MessageKind::LowBalance,
            lead: None,
            contents: News::LowBalance { available: "$9.50".into(), threshold: "$50.00".into() }.encode(),
            expires_at: self.world.now() + TimeDelta::hours(24),
            received_at: None,
            traceparent: None,
        };
        self.notifier.accept_messages(std::slice::from_ref(&message)).await.unwrap();
        message.id
    }

    async fn send(&self) -> usize {
        self.notifier.send_messages(&self.queue).await.unwrap()
    }

    /// What SendGrid calls with next.
    async fn call(&mut self) -> Call {
        tokio::time::timeout(PATIENCE, self.calls.recv()).await.unwrap().unwrap()
    }

    async fn take(&self, (headers, body): &Call) -> Result<usize, EventsError> {
        self.notifier.take_sendgrid_events(Some(&self.key), headers, body).await
    }

    async fn tell(&mut self, provider_id: &str, event: &str, reason: &str, kind: &str) -> Call {
        let body = json!({ "providerId": provider_id, "event": event, "reason": reason, "kind": kind });
        let (status, answer) = self.sandbox.say(Method::POST, "/api/sendgrid/events", body).await;
        assert_eq!(status, 200, "{answer}");
        self.call().await
    }

    /// Status, attempts, error, provider's id.
    async fn row(&self, message: MessageId) -> (String, i32, String, Option<String>) {
        let row = sqlx::query(
            "SELECT status, attempts_made, error, provider_id, contents IS NULL AS done FROM notifier.messages WHERE message_id = $1",
        )
        .bind(message.uuid())
        .fetch_one(self.world.db.pool())
        .await
        .unwrap();
        assert_eq!(row.get::<bool, _>("done"), row.get::<&str, _>("status") != "WAITING");
        (row.get("status"), row.get("attempts_made"), row.get("error"), row.get("provider_id"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_taken_and_its_arrival_is_told_once() {
    let mut post = Post::start().await;
    let heard = Heard::on(&post.world);
    let message = post.ask().await;
    assert_eq!(post.send().await, 1);
    let mail = post.sandbox.arrived().await.remove(0);
    assert_eq!((&mail["subject"], &mail["to"]), (&json!("Your balance is low: $9.50"), &json!([ADDRESS])));
    assert_eq!(
        (&mail["sender"], &mail["from"]),
        (&json!("Acme Solar via LeadFlow"), &json!("noreply@leadflow.example"))
    );
    assert_eq!(mail["customArgs"], json!({ "message_id": message.to_string() }));
    assert_eq!(mail["categories"], json!(["leadflow", "low_balance"]));
    let provider_id = mail["providerId"].as_str().unwrap();
    assert_eq!(post.row(message).await, ("SENT".into(), 1, String::new(), Some(provider_id.to_owned())));

    let call = post.call().await;
    assert_eq!(post.take(&call).await.unwrap(), 1);
    assert_eq!(post.row(message).await.0, "DELIVERED");
    assert_eq!(post.take(&call).await.unwrap(), 0, "told again");
    // What it never signed, or long ago, is not believed.
    let (headers, body) = call.clone();
    assert!(matches!(post.take(&(headers.clone(), Bytes::from_static(b"[]"))).await, Err(EventsError::BadSignature)));
    assert!(matches!(post.take(&(HashMap::new(), body.clone())).await, Err(EventsError::BadSignature)));
    let unset = post.notifier.take_sendgrid_events(None, &headers, &body).await;
    assert!(matches!(unset, Err(EventsError::NotConfigured)));
    post.world.advance(3 * 86_400 + 1);
    assert!(matches!(post.take(&call).await, Err(EventsError::BadSignature)));
    let paid = heard.wait_for(1).await;
    assert_eq!((paid[0].message_id.clone(), paid[0].kind(), paid[0].units), (message.to_string(), UsageKind::Email, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_ends_mails_to_that_address_and_what_is_only_blocked_does_not() {
    let mut post = Post::start().await;
    let message = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (.., provider_id) = post.row(message).await;
    let provider_id = provider_id.unwrap();
    let arrived = post.call().await;
    assert_eq!(post.take(&arrived).await.unwrap(), 1);
    let blocked = post.tell(&provider_id, "bounce", "the mailbox is full", "blocked").await;
    assert_eq!(post.take(&blocked).await.unwrap(), 1);
    let (status, _, error, _) = post.row(message).await;
    assert_eq!((status.as_str(), error.as_str()), ("BOUNCED", "the mailbox is full"));
    let dead = "SELECT count(*) FROM notifier.suppressions";
    assert_eq!(post.world.count(dead).await, 0);

    let other = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (.., provider_id) = post.row(other).await;
    let late = post.call().await;
    let bounced = post.tell(&provider_id.unwrap(), "bounce", &format!("550 5.1.1 <{ADDRESS}> unknown"), "bounce").await;
    assert_eq!(post.take(&bounced).await.unwrap(), 1);
    // Told in another order than it happened.
    assert_eq!(post.take(&late).await.unwrap(), 1);
    let (status, _, error, _) = post.row(other).await;
    assert_eq!((status.as_str(), error.as_str()), ("BOUNCED", "550 5.1.1 … unknown"));
    let third = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (status, tries, error, _) = post.row(third).await;
    assert_eq!((status.as_str(), tries), ("SUPPRESSED", 0), "{error}");
    assert!(error.contains("came back"), "{error}");
    assert_eq!(post.sandbox.arrived().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_strangers_mail_server_says_holds_up_no_event() {
    let mut post = Post::start().await;
    let message = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (.., provider_id) = post.row(message).await;
    let arrived = post.call().await;
    assert_eq!(post.take(&arrived).await.unwrap(), 1);
    let bounced = post.tell(&provider_id.unwrap(), "bounce", "550 no\0 such user", "bounce").await;
    assert_eq!(post.take(&bounced).await.unwrap(), 1);
    let (status, _, error, _) = post.row(message).await;
    assert_eq!((status.as_str(), error.as_str()), ("BOUNCED", "550 no such user"));
    assert_eq!(post.world.count("SELECT count(*) FROM notifier.suppressions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_ends_mails_too_and_the_mail_stays_delivered() {
    let mut post = Post::start().await;
    let message = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (.., provider_id) = post.row(message).await;
    let arrived = post.call().await;
    assert_eq!(post.take(&arrived).await.unwrap(), 1);
    let complaint = post.tell(&provider_id.unwrap(), "spamreport", "", "").await;
    let (a, b) = tokio::join!(post.take(&complaint), post.take(&complaint));
    assert_eq!(a.unwrap() + b.unwrap(), 1, "two replicas are told at once");
    assert_eq!(post.row(message).await.0, "DELIVERED");
    let next = post.ask().await;
    assert_eq!(post.send().await, 1);
    assert_eq!(post.row(next).await.0, "SUPPRESSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_no_second_mail_when_its_arrival_is_told_first() {
    let mut post = Post::start().await;
    let heard = Heard::on(&post.world);
    post.behave("lose").await;
    let message = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (status, tries, error, _) = post.row(message).await;
    assert_eq!((status.as_str(), tries), ("WAITING", 1), "{error}");
    let provider_id = post.sandbox.arrived().await[0]["providerId"].as_str().unwrap().to_owned();
    let arrived = post.tell(&provider_id, "delivered", "", "").await;
    assert_eq!(post.take(&arrived).await.unwrap(), 1);
    assert_eq!(post.row(message).await.0, "DELIVERED");
    post.world.advance(3_600);
    assert_eq!(post.send().await, 0);
    assert_eq!(post.sandbox.arrived().await.len(), 1);
    assert_eq!(heard.wait_for(1).await[0].message_id, message.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_busy_broken_or_hangs_is_asked_again_and_what_it_refuses_is_not() {
    let post = Post::start().await;
    let message = post.ask().await;
    for (at, (mode, code)) in [("busy", 429), ("fail", 500), ("revoked", 401), ("hang", 0)].into_iter().enumerate() {
        post.behave(mode).await;
        assert_eq!(post.send().await, 1, "{mode}");
        let (status, tries, error, _) = post.row(message).await;
        assert_eq!((status.as_str(), usize::try_from(tries).unwrap()), ("WAITING", at + 1), "{mode}: {error}");
        let recorded: i32 =
            sqlx::query_scalar("SELECT status_code FROM notifier.message_attempts ORDER BY number DESC LIMIT 1")
                .fetch_one(post.world.db.pool())
                .await
                .unwrap();
        assert_eq!(recorded, code, "{mode}: {error}");
        if mode == "busy" {
            // It said when to come again: in 30 s.
            post.world.advance(29);
            assert_eq!(post.send().await, 0);
        }
        post.world.advance(600);
    }
    assert_eq!(post.send().await, 1);
    assert_eq!(post.row(message).await.0, "SENT");

    sqlx::query("UPDATE notifier.buyers SET email = 'no address'").execute(post.world.db.pool()).await.unwrap();
    let wrong = post.ask().await;
    assert_eq!(post.send().await, 1);
    let (status, tries, error, _) = post.row(wrong).await;
    assert_eq!((status.as_str(), tries), ("REFUSED", 1));
    assert!(error.contains("400") && error.contains("valid address"), "{error}");
    wait::until("events are published", PATIENCE, async || {
        post.world.count("SELECT count(*) FROM notifier.outbox").await == 0
    })
    .await;
}
