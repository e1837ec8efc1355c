//! The stand-in for Twilio, called as the real one is.

mod calls;
mod page;
mod sending;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{OriginalUri, State},
    http::HeaderMap,
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use leadflow_sandbox::Config;
use leadflow_testkit::wait;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Sandbox, start_with};

const PERSON: &str = "+12125550123";
const OURS: &str = "+15005550006";

/// A call that our webhook got.
#[derive(Debug, Clone)]
struct Heard {
    /// Path and query.
    path: String,
    signature: String,
    token: String,
    kind: String,
    body: String,
}

impl Heard {
    fn parameters(&self) -> BTreeMap<String, String> {
        self.body.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (decode(n), decode(v))).collect()
    }

    fn get(&self, name: &str) -> String {
        self.parameters().remove(name).unwrap_or_default()
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// What the signature has to be, from the rules as they are published, and from what an HMAC is.
fn expected_signature(token: &str, url: &str, parameters: &BTreeMap<String, String>) -> String {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};
    let signed = parameters.iter().fold(url.to_owned(), |signed, (name, value)| signed + name + value);
    let mut key = if token.len() > 64 { digest(&SHA1, token.as_bytes()).as_ref().to_vec() } else { token.into() };
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = digest(&SHA1, &[pad(0x36), signed.into_bytes()].concat());
    STANDARD.encode(digest(&SHA1, &[pad(0x5c), inner.as_ref().to_vec()].concat()))
}

/// Our webhook.
struct Webhook {
    base: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

type Hearing = (Arc<Mutex<Vec<Heard>>>, &'static str);

async fn hear(
    State((heard, answer)): State<Hearing>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: String,
) -> &'static str {
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    heard.lock().unwrap().push(Heard {
        path: uri.to_string(),
        signature: header("x-twilio-signature"),
        token: header("i-twilio-idempotency-token"),
        kind: header("content-type"),
        body,
    });
    answer
}

impl Webhook {
    /// One that answers this.
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().route("/{*path}", post(hear)).with_state((heard.clone(), answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, heard }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// What is told of messages, once there are as many calls.
    async fn statuses(&self, count: usize) -> Vec<String> {
        wait::until("all is told", Duration::from_secs(10), async || self.heard().len() >= count).await;
        self.heard().iter().map(|heard| heard.get("MessageStatus")).collect()
    }
}

fn authorization(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Sandbox {
    fn path(&self, rest: &str) -> String {
        format!("/twilio/2010-04-01/Accounts/{}/{rest}", Config::default().twilio_account_sid)
    }

    /// Calls as the account. The status and what was said.
    async fn twilio(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let config = Config::default();
        let account = authorization(&config.twilio_account_sid, &config.twilio_auth_token);
        let headers = [("authorization", account.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let answer = self.call(method, path, &headers, body).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// Asks for a message with these parameters, besides a receiver, a sender and a text.
    async fn text(&self, more: &[(&str, &str)]) -> (u16, Value) {
        let mut parameters: BTreeMap<&str, &str> = [("To", PERSON), ("From", OURS), ("Body", "Hello")].into();
        parameters.extend(more.iter().copied());
        self.twilio(Method::POST, &self.path("Messages.json"), &form(&parameters)).await
    }

    async fn texts(&self, query: &str) -> Value {
        let answer = self.call(Method::GET, &format!("/api/texts{query}"), &[], "").await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Somebody writes to us.
    async fn writes(&self, from: &str, body: &str) -> Value {
        let written = json!({ "from": from, "body": body });
        let headers = [("content-type", "application/json")];
        let answer = self.call(Method::POST, "/api/twilio/inbound", &headers, &written.to_string()).await;
        serde_json::from_slice(&answer.body).unwrap()
    }
}

fn form(parameters: &BTreeMap<&str, &str>) -> String {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

async fn start() -> Sandbox {
    start_with(Config::default()).await
}
