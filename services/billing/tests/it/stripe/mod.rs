//! Card payments against the sandbox's Stripe, over real HTTP.

mod attempts;
mod calls;
mod cards;
mod events;
mod faults;
mod reconcile;
mod service;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::TimeDelta;
use http::{HeaderMap, Method, header};
use leadflow_billing::{
    app::{
        Billing,
        cards::{Cards, NewCard, Person},
        payments::{CardAttempts, Payments, Policy},
        provider_events::ProviderEvents,
        reconcile::Reconciler,
    },
    outbound::{
        provider::{Charge, NewCustomer, PaymentProvider as _},
        stripe::{Signatures, Stripe, StripeSettings},
    },
};
use leadflow_billing_domain::Bounds;
use leadflow_kernel::{BuyerId, Clock, Money, PaymentId, SellerId};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::Shutdown;
use leadflow_sandbox::{Config, Listeners};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{World, usd};

/// What the sandbox signs with.
pub const SECRET: &str = "whsec_test";

/// The sandbox's Stripe.
pub struct Sandbox {
    pub base: String,
    client: Client,
    stop: Shutdown,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Sandbox {
    /// With its own idea of the time.
    pub async fn start(clock: Arc<dyn Clock>) -> Self {
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", http.local_addr().unwrap());
        let stop = Shutdown::new();
        let listeners = Listeners { http, smtp };
        tokio::spawn(leadflow_sandbox::run_at(Config::default(), listeners, clock, stop.clone()));
        let options = Options {
            allow_loopback: true,
            total_timeout: Duration::from_secs(10),
            body_cap: 8 << 20,
            ..Options::default()
        };
        Self { base, client: Client::new(options).unwrap(), stop }
    }

    pub fn settings(&self) -> StripeSettings {
        StripeSettings {
            secret_key: Some("sk_test_sandbox".to_owned()),
            publishable_key: "pk_test_sandbox".to_owned(),
            webhook_secrets: vec![SECRET.to_owned()],
            api_base: leadflow_sandbox::stripe_api(&self.base),
            tolerance: Duration::from_secs(300),
            timeout: Duration::from_secs(10),
            events_kept_days: 90,
            reconcile_days: 3,
        }
    }

    pub fn stripe(&self) -> Stripe {
        Stripe::new("sk_test_sandbox", &self.settings()).unwrap()
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(header::AUTHORIZATION, "Bearer sk_test_sandbox".parse().unwrap());
        let body = Bytes::from(if method == Method::GET { String::new() } else { body.to_string() });
        let answer = self.client.send(method, &format!("{}{path}", self.base), headers, body).await.unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!((200..300).contains(&answer.status), "{path}: {} {text}", answer.status);
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A control of the sandbox's own.
    pub async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        self.call(method, &format!("/api/stripe{path}"), &body).await
    }

    /// What goes wrong from now on.
    pub async fn misbehave(&self, rules: Value) {
        self.control(Method::PUT, "/behaviour", json!({ "rules": rules })).await;
    }

    /// What Stripe answers.
    pub async fn look(&self, path: &str) -> Value {
        self.call(Method::GET, &format!("/stripe/v1/{path}"), &Value::Null).await
    }

    /// What Stripe has in its books: charges, refunds and disputes.
    pub async fn record(&self) -> Value {
        self.control(Method::GET, "/record", Value::Null).await
    }

    pub async fn charges(&self) -> Vec<Value> {
        self.record().await["charges"].as_array().unwrap().clone()
    }

    /// Every event so far, oldest first.
    pub async fn events(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut query = "events?limit=100".to_owned();
        loop {
            let page = self.look(&query).await;
            let data = page["data"].as_array().unwrap().clone();
            let more = page["has_more"] == true;
            if let Some(last) = data.last() {
                query = format!("events?limit=100&starting_after={}", text(&last["id"]));
            }
            all.extend(data);
            if !more {
                all.reverse();
                return all;
            }
        }
    }

    /// The front end: a card is named to Stripe.
    pub async fn confirm(&self, client_secret: &str, card: &str) -> Value {
        self.control(Method::POST, "/confirm", json!({"clientSecret": client_secret, "card": card})).await
    }

    /// A card of a customer of the caller's own making.
    pub async fn customer_with(&self, stripe: &Stripe, card: &str) -> (String, String) {
        let new = NewCustomer {
            buyer: BuyerId::new(),
            seller: SellerId::new(),
            email: "bea@buyer.example".to_owned(),
            name: "Bea".to_owned(),
        };
        let customer = stripe.create_customer(&new).await.unwrap();
        let card = stripe.attach_card(&customer, card).await.unwrap();
        (customer, card.payment_method)
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// An order for 50.00.
pub fn charge(customer: &str, payment_method: &str) -> Charge {
    Charge {
        payment: PaymentId::new(),
        seller: SellerId::new(),
        buyer: BuyerId::new(),
        customer: customer.to_owned(),
        payment_method: payment_method.to_owned(),
        amount: usd("50.00"),
        off_session: true,
        description: "Wallet".to_owned(),
    }
}

/// Everything about card payments, on one replica.
#[derive(Clone)]
pub struct Shop {
    pub billing: Billing,
    pub stripe: Stripe,
    pub payments: Payments,
    pub cards: Cards,
    pub events: ProviderEvents,
    pub reconciler: Reconciler,
}

impl Shop {
    /// A replica of its own, at this Stripe.
    pub fn open(world: &World, sandbox: &Sandbox) -> Self {
        Self::with(world, sandbox.stripe())
    }

    pub fn with(world: &World, stripe: Stripe) -> Self {
        Self::careful(world, stripe, CardAttempts { tried: 1_000, declined: 1_000 })
    }

    /// Where a buyer may try so many cards.
    pub fn careful(world: &World, stripe: Stripe, card_attempts: CardAttempts) -> Self {
        let billing = world.replica();
        let policy = Policy {
            bounds: Bounds { least: Decimal::ONE, most: Decimal::from(10_000) },
            suspend_on_dispute: true,
            confirm_within: TimeDelta::hours(23),
            card_attempts,
        };
        let shared = Arc::new(stripe.clone());
        let payments = Payments::new(billing.clone(), shared.clone(), shared.clone(), policy);
        let cards = Cards::new(billing.clone(), payments.clone(), shared.clone(), shared.clone());
        let news = Arc::new(payments.clone());
        let signatures = Signatures::new(vec![SECRET.to_owned(), "whsec_old".to_owned()], Duration::from_secs(300));
        let events = ProviderEvents::new(
            billing.clone(),
            cards.clone(),
            news.clone(),
            shared.clone(),
            shared.clone(),
            signatures,
        );
        let reconciler = Reconciler::new(billing.clone(), shared.clone(), shared, news);
        Self { billing, stripe, payments, cards, events, reconciler }
    }

    /// Stores a card of this buyer.
    pub async fn store(&self, seller: SellerId, buyer: BuyerId, card: &str) -> leadflow_billing::app::cards::Card {
        self.cards.attach(None, &new_card(seller, buyer, card)).await.unwrap()
    }
}

pub fn person(seller: SellerId, buyer: BuyerId) -> Person {
    Person { seller, buyer, email: "bea@buyer.example".to_owned(), name: "Roofs and Sons".to_owned() }
}

pub fn new_card(seller: SellerId, buyer: BuyerId, card: &str) -> NewCard {
    NewCard { person: person(seller, buyer), payment_method: card.to_owned(), set_as_primary: false }
}

pub fn dollars(text: &str) -> Money {
    usd(text)
}
