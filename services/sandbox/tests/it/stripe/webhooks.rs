//! Events on their way to a webhook. Signatures are computed here once more, without the sandbox's code.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use bytes::Bytes;
use http::Method;
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{json_of, text};
use crate::{Sandbox, start};

#[derive(Default)]
struct Seen {
    events: Vec<Value>,
    signatures: Vec<(String, Bytes)>,
    refuse: u32,
}

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Seen>>);

impl Receiver {
    async fn start(sandbox: &Sandbox, secrets: &[&str]) -> Self {
        let receiver = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let router = Router::new().route("/events", post(Self::take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let body = json!({"url": url, "secrets": secrets});
        assert_eq!(sandbox.control(Method::PUT, "/webhook", &body).await.0, 204);
        receiver
    }

    async fn take(State(receiver): State<Self>, headers: HeaderMap, body: Bytes) -> StatusCode {
        let mut seen = receiver.0.lock().unwrap();
        seen.signatures.push((headers["stripe-signature"].to_str().unwrap().to_owned(), body.clone()));
        if seen.refuse > 0 {
            seen.refuse -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        seen.events.push(serde_json::from_slice(&body).unwrap());
        StatusCode::OK
    }

    fn kinds(&self) -> Vec<String> {
        self.0.lock().unwrap().events.iter().map(|event| text(&event["type"])).collect()
    }

    async fn has(&self, count: usize) {
        leadflow_testkit::wait::until("the events arrive", Duration::from_secs(20), async || {
            self.kinds().len() >= count
        })
        .await;
    }
}

async fn manners(sandbox: &Sandbox, manners: Value) {
    assert_eq!(sandbox.control(Method::PUT, "/webhook/manners", &manners).await.0, 204);
}

async fn waiting(sandbox: &Sandbox) -> Value {
    sandbox.control(Method::GET, "/webhook", &json!({})).await.1["waiting"].clone()
}

#[tokio::test]
async fn events_are_signed_with_every_secret() {
    let sandbox = start().await;
    let receiver = Receiver::start(&sandbox, &["whsec_old", "whsec_new"]).await;
    sandbox.paid("pm_card_visa").await;
    receiver.has(5).await;
    let seen = receiver.0.lock().unwrap();
    for (header, body) in &seen.signatures {
        let parts: Vec<_> = header.split(',').map(|part| part.split_once('=').unwrap()).collect();
        let ("t", time) = parts[0] else { panic!("{header}") };
        let given: Vec<_> = parts[1..].iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let signed = [time.as_bytes(), b".", body].concat();
        let expected = ["whsec_old", "whsec_new"].map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            ("v1", hex::encode(hmac::sign(&key, &signed)))
        });
        assert_eq!(given, expected);
        // And the real client takes it.
        let payload = std::str::from_utf8(body).unwrap();
        stripe_webhook::Webhook::construct_event(payload, header, "whsec_new").unwrap();
    }
    assert_eq!(seen.events.iter().filter(|event| event["type"] == "charge.succeeded").count(), 1);
}

#[tokio::test]
async fn what_is_not_taken_comes_again() {
    let sandbox = start().await;
    let receiver = Receiver::start(&sandbox, &["whsec_x"]).await;
    receiver.0.lock().unwrap().refuse = 2;
    sandbox.make("customers", &[]).await;
    receiver.has(1).await;
    assert_eq!(receiver.kinds(), ["customer.created"]);
    assert_eq!(receiver.0.lock().unwrap().signatures.len(), 3);
    leadflow_testkit::wait::until("nothing waits", Duration::from_secs(5), async || waiting(&sandbox).await == 0).await;
}

#[tokio::test]
async fn events_are_held_back_reversed_dropped_and_doubled() {
    let sandbox = start().await;
    let receiver = Receiver::start(&sandbox, &["whsec_x"]).await;
    manners(&sandbox, json!({"hold": true, "dropNext": 1, "duplicateNext": 1})).await;
    for kind in ["customers", "customers", "setup_intents"] {
        sandbox.make(kind, &[]).await;
    }
    assert_eq!(waiting(&sandbox).await, 2);
    assert_eq!(receiver.kinds(), [""; 0]);
    manners(&sandbox, json!({"newestFirst": true})).await;
    receiver.has(3).await;
    let mut counts = BTreeMap::new();
    for kind in receiver.kinds() {
        *counts.entry(kind).or_insert(0) += 1;
    }
    let expected = [("customer.created".to_owned(), 2), ("setup_intent.created".to_owned(), 1)];
    assert_eq!(counts, BTreeMap::from(expected), "the first was dropped, the second came twice");
    // What was dropped is known all the same, and can be sent again.
    let all = sandbox.look("events?limit=100").await;
    let dropped = text(&all["data"].as_array().unwrap().last().unwrap()["id"]);
    let (status, _) = sandbox.control(Method::POST, &format!("/events/{dropped}/resend"), &json!({})).await;
    assert_eq!(status, 200);
    receiver.has(4).await;
    manners(&sandbox, json!({})).await;
    assert_eq!(sandbox.control(Method::PUT, "/webhook/manners", &json!({"explode": true})).await.0, 422);
}

#[tokio::test]
async fn without_a_webhook_nothing_waits_and_bad_ones_are_refused() {
    let sandbox = start().await;
    sandbox.paid("pm_card_visa").await;
    assert_eq!(waiting(&sandbox).await, 0);
    for bad in [json!({"url": "ftp://x/"}), json!({"url": 1}), json!({"url": "http://x/", "secrets": [""]}), json!({})]
    {
        assert_eq!(sandbox.control(Method::PUT, "/webhook", &bad).await.0, 422, "{bad}");
    }
    assert_eq!(sandbox.control(Method::PUT, "/webhook", &json!({"url": null})).await.0, 204);
    let answer = sandbox.call(Method::GET, "/api/stripe/webhook", &[], "").await;
    assert_eq!(json_of(&answer)["url"], Value::Null);
}
