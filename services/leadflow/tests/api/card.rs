//! Cards of the tests, and what the sandbox's Stripe does and knows.

use http::Method;
use leadflow_testkit::books::{self, Expectations, StripeRecord};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    world::{PATIENCE, Person, World},
};

pub const METHODS: &str = "/api/payments/methods";
pub const WALLET: &str = "/api/payments/wallet";
/// Where Stripe tells of things.
pub const HOOK: &str = "/api/webhooks/stripe";

/// The sandbox in Stripe's place.
pub struct Stripe(Client);

impl Stripe {
    /// Does what Stripe's form does with a client secret and a card; the intent.
    pub async fn confirm(&self, client_secret: &Value, card: &str) -> Value {
        let body = json!({ "clientSecret": client_secret, "card": card });
        self.0.post("/api/stripe/confirm", "", &body).await.ok(200)
    }

    /// The card's owner answers his bank.
    pub async fn authenticate(&self, client_secret: &Value, confirms: bool) {
        let body = json!({ "clientSecret": client_secret, "confirms": confirms });
        self.0.post("/api/stripe/authenticate", "", &body).await.ok(200);
    }

    /// From now on the card behaves so: declines for a reason, or pays.
    pub async fn tell_card(&self, payment_method: &str, decline: Option<&str>) {
        let body = json!({ "decline": decline });
        self.0.put(&format!("/api/stripe/cards/{payment_method}"), "", &body).await.ok(200);
    }

    /// What goes wrong from now on.
    pub async fn behave(&self, rules: &Value) {
        self.0.put("/api/stripe/behaviour", "", &json!({ "rules": rules })).await.ok(200);
    }

    /// Everything that moved.
    pub async fn record(&self) -> Value {
        self.0.get("/api/stripe/record", "").await.ok(200)
    }

    /// All charges that succeeded: cents, of this intent or of all.
    pub async fn charges(&self) -> Vec<Value> {
        let record = self.record().await;
        let charges = record["charges"].as_array().unwrap().iter();
        charges.filter(|charge| charge["status"] == "succeeded").cloned().collect()
    }

    /// Cents that went back to cards.
    pub async fn refunded(&self) -> i64 {
        self.charges().await.iter().map(|charge| charge["refunded"].as_i64().unwrap()).sum()
    }

    /// The owner of a charge's card complains: the dispute's id.
    pub async fn dispute(&self, charge: &str) -> String {
        let made = self.0.post(&format!("/api/stripe/charges/{charge}/dispute"), "", &json!({})).await.ok(200);
        made["id"].as_str().unwrap().to_owned()
    }

    /// Ends a dispute, in the seller's favour or not.
    pub async fn close_dispute(&self, dispute: &str, won: bool) {
        self.0.post(&format!("/api/stripe/disputes/{dispute}/close"), "", &json!({ "won": won })).await.ok(200);
    }
}

impl World {
    pub fn stripe(&self) -> Stripe {
        Stripe(Client::without_document(&self.cluster.http_urls("sandbox")[0]))
    }

    /// Stores one of Stripe's test cards, as a front end does: the record.
    pub async fn card(&self, buyer: &Person, name: &str) -> Value {
        let path = "/api/payments/setup-intent";
        let intent = self.client.call(Method::POST, path, &buyer.token, None).await.ok(200);
        let confirmed = self.stripe().confirm(&intent["clientSecret"], name).await;
        if confirmed["status"] == "requires_action" {
            self.stripe().authenticate(&intent["clientSecret"], true).await;
        }
        let body = json!({ "paymentMethodId": confirmed["payment_method"] });
        self.client.post(METHODS, &buyer.token, &body).await.ok(201)["paymentMethod"].clone()
    }

    /// Puts money in, with an idempotency key if there is one.
    pub async fn top_up(&self, buyer: &Person, key: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", buyer.token);
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        if !key.is_empty() {
            headers.push(("idempotency-key", key));
        }
        self.client.send(Method::POST, WALLET, &headers, Some(body.to_string().into())).await
    }

    pub async fn wallet(&self, buyer: &Person) -> Value {
        self.client.get(WALLET, &buyer.token).await.ok(200)
    }
}

/// A seller and his buyer.
pub async fn pair(world: &World, name: &str) -> (Person, Person) {
    let (seller, code) = world.seller(name).await;
    let buyer = world.buyer(name, &code).await;
    (seller, buyer)
}

/// Nothing is under way any more, and the books are right and those of Stripe's stand-in.
pub async fn books_are_clean(world: &World) {
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    books::wait_until_settled(&pool, &[], PATIENCE).await.unwrap();
    let stripe: StripeRecord = serde_json::from_value(world.stripe().record().await).unwrap();
    let expectations = Expectations { stripe: Some(stripe), ..Expectations::settled() };
    let report = books::check(&pool, &expectations).await.unwrap();
    assert!(report.is_clean(), "{report}");
}
