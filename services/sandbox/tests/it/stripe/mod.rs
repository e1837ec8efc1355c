//! The stand-in for Stripe.

mod books;
mod cards;
mod client;
mod faults;
mod histories;
mod keys;
mod lists;
mod page;
mod restart;
mod webhooks;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header};
use leadflow_outbound_http::{Answer, Client, Options};
use serde_json::{Value, json};

use crate::Sandbox;

const KEY: &str = "Bearer sk_test_sandbox";

impl Sandbox {
    async fn form(&self, path: &str, form: &[(&str, &str)], key: Option<&str>) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut headers = vec![("authorization", KEY), ("content-type", "application/x-www-form-urlencoded")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.call(Method::POST, &format!("/stripe/v1/{path}"), &headers, &body).await
    }

    /// A POST with a key whose answer is waited for as long as it takes.
    async fn form_without_end(&self, path: &str, form: &[(&str, &str)], key: &str) {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, KEY.parse().unwrap()),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap()),
            (HeaderName::from_static("idempotency-key"), key.parse().unwrap()),
        ]);
        let total_timeout = Duration::from_secs(600);
        let options = Options { allow_loopback: true, total_timeout, ..Options::default() };
        let client = Client::new(options).unwrap();
        let _ = client.post(&format!("{}/stripe/v1/{path}", self.base), headers, Bytes::from(body)).await;
    }

    /// A POST that works.
    async fn make(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let answer = self.form(path, form, None).await;
        let body = json_of(&answer);
        assert_eq!(answer.status, 200, "{path}: {body:#}");
        body
    }

    /// A POST that is refused: the status and the error.
    async fn refused(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.form(path, form, None).await;
        (answer.status, json_of(&answer)["error"].clone())
    }

    async fn look(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, &format!("/stripe/v1/{path}"), &[("authorization", KEY)], "").await;
        json_of(&answer)
    }

    /// A control of the sandbox's own.
    async fn control(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("content-type", "application/json")];
        let answer = self.call(method, &format!("/api/stripe{path}"), &headers, &body.to_string()).await;
        (answer.status, if answer.body.is_empty() { Value::Null } else { json_of(&answer) })
    }

    async fn record(&self) -> Value {
        self.control(Method::GET, "/record", &json!({})).await.1
    }

    /// A customer with this card.
    async fn customer_with(&self, card: &str) -> (String, String) {
        let customer = text(&self.make("customers", &[("email", "bea@buyer.example")]).await["id"]);
        let method = self.make(&format!("payment_methods/{card}/attach"), &[("customer", &customer)]).await;
        (customer, text(&method["id"]))
    }

    /// A payment of 50.00 that works.
    async fn paid(&self, card: &str) -> Value {
        let (customer, method) = self.customer_with(card).await;
        self.make("payment_intents", &payment(&customer, &method)).await
    }
}

/// A payment without the card's owner.
fn payment<'a>(customer: &'a str, method: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("amount", "5000"),
        ("currency", "usd"),
        ("customer", customer),
        ("payment_method", method),
        ("confirm", "true"),
        ("off_session", "true"),
        ("metadata[payment]", "pay_1"),
    ]
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {:?}", answer.body))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Kinds of events, oldest first.
async fn kinds(sandbox: &Sandbox) -> Vec<String> {
    let events = sandbox.look("events?limit=100").await;
    let mut kinds: Vec<_> = events["data"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect();
    kinds.reverse();
    kinds
}
