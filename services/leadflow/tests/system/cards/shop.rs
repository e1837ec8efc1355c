//! A seller and buyers with cards, who do everything through the public API.

use std::time::Duration;

use http::Method;
use leadflow_kernel::CampaignId;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    world::{PATIENCE, World, lead},
};

const PASSWORD: &str = "a long walk by the sea 71";
/// Tries of one request, and the pause between two.
const TRIES: usize = 900;
pub const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub struct Shop {
    client: Client,
    api: String,
    ingest: String,
    sandbox: String,
    seller: String,
    invite: String,
    api_key: String,
    pub campaign: CampaignId,
}

#[derive(Debug, Clone)]
pub struct Buyer {
    pub id: String,
    pub token: String,
}

impl Shop {
    /// A seller with one campaign at this price, whose gateway knows it.
    pub async fn open(world: &World, name: &str, price: u32) -> Self {
        let mut shop = Self {
            client: world.client.clone(),
            api: world.cluster.front("bff"),
            ingest: world.cluster.front("ingest"),
            sandbox: world.cluster.http_urls("sandbox")[0].clone(),
            seller: String::new(),
            invite: String::new(),
            api_key: String::new(),
            campaign: CampaignId::new(),
        };
        let email = format!("{name}@seller.example");
        let register = json!({
            "email": email, "password": PASSWORD, "name": name, "role": "SELLER", "companyName": format!("{name} Ltd"),
        });
        let made = shop.post("/api/auth/register", "", &register).await;
        shop.invite = text(&made["user"]["inviteCode"]);
        shop.seller = shop.log_in(&email).await;
        let field = |name: &str| json!({ "name": name, "type": "text", "required": true });
        let fields = ["firstName", "lastName", "email", "phone"].map(field);
        let category = json!({ "name": "Dental", "fields": fields });
        let made = shop.post("/api/categories", &shop.seller, &category).await;
        let category = text(&made["category"]["id"]);
        let campaign = json!({
            "categoryId": category, "name": "Dental and Vision", "description": "Seniors", "pricePerLead": price,
            "distributionLogic": "ROUND_ROBIN", "allowStateSelection": true,
            "returns": { "days": 7, "maxSharePercentPerMonth": 100, "reasons": ["wrong_number"], "autoApprove": false,
                         "countsOutOfCaps": false },
        });
        let made = shop.post("/api/campaigns", &shop.seller, &campaign).await;
        shop.campaign = text(&made["campaign"]["id"]).parse().unwrap();
        let supplier = json!({ "name": "Clicks Inc", "categories": [category] });
        shop.api_key = text(&shop.post("/api/suppliers", &shop.seller, &supplier).await["apiKey"]);
        wait::until("the gateway knows the campaign", PATIENCE, async || {
            let body = json!({ "campaignId": shop.campaign, "data": {} });
            shop.post_once("x", &body).await.is_ok_and(|answer| answer.status == 422)
        })
        .await;
        shop
    }

    async fn log_in(&self, email: &str) -> String {
        text(&self.post("/api/auth/login", "", &json!({ "email": email, "password": PASSWORD })).await["token"])
    }

    /// A buyer with one of Stripe's test cards who takes every lead.
    pub async fn buyer(&self, name: &str, card: &str) -> Buyer {
        let email = format!("{name}@buyer.example");
        let register = json!({
            "email": email, "password": PASSWORD, "name": name, "role": "BUYER", "companyName": format!("{name} Inc"),
            "inviteCode": self.invite,
        });
        let made = self.post("/api/auth/register", "", &register).await;
        let buyer = Buyer { id: text(&made["user"]["buyerId"]), token: self.log_in(&email).await };
        let intent = self.post("/api/payments/setup-intent", &buyer.token, &json!({})).await;
        let confirm = json!({ "clientSecret": intent["clientSecret"], "card": card });
        let confirmed = self.sandbox(Method::POST, "/api/stripe/confirm", Some(&confirm)).await;
        let store = json!({ "paymentMethodId": confirmed["payment_method"] });
        self.post("/api/payments/methods", &buyer.token, &store).await;
        let subscribe = json!({ "campaignId": self.campaign, "dailyCap": 100_000, "states": ["CA"] });
        self.post("/api/campaigns/subscribe", &buyer.token, &subscribe).await;
        buyer
    }

    /// The seller's session.
    pub fn seller(&self) -> &str {
        &self.seller
    }

    /// What its supplier posts with.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Where a buyer's webhooks go.
    pub async fn webhook(&self, buyer: &Buyer, url: &str) {
        let endpoint = json!({ "name": "CRM", "url": url, "events": ["lead.assigned"] });
        self.post("/api/notifications/endpoints", &buyer.token, &endpoint).await;
    }

    /// Puts money into a wallet without a card.
    pub async fn credit(&self, buyer: &Buyer, amount: u32) {
        let credit = json!({ "amount": amount, "reason": "bank transfer" });
        self.post(&format!("/api/buyers/{}/credits", buyer.id), &self.seller, &credit).await;
    }

    /// Changes how a wallet is recharged.
    pub async fn recharge(&self, buyer: &Buyer, change: &Value) {
        self.until_done(Method::PUT, "/api/payments/wallet", &buyer.token, "", Some(change)).await;
    }

    pub async fn wallet(&self, buyer: &Buyer) -> Value {
        self.until_done(Method::GET, "/api/payments/wallet", &buyer.token, "", None).await.body
    }

    /// Fills a wallet, again and again with the same key until it is filled: the payment.
    pub async fn top_up(&self, buyer: &Buyer, key: &str, amount: u32) -> String {
        let mut known = None;
        for _ in 0..TRIES {
            let body = json!({ "amount": amount });
            let answer = self.send(Method::POST, "/api/payments/wallet", &buyer.token, key, Some(&body)).await;
            if let Ok(Answer { status, body }) = answer {
                match status.as_u16() {
                    200 | 202 => {
                        let payment = text(&body["paymentId"]);
                        assert_eq!(known.get_or_insert_with(|| payment.clone()), &payment, "one payment for {key}");
                        if status == 200 {
                            assert_eq!(body["status"], "succeeded", "{body}");
                            return payment;
                        }
                    }
                    503 | 504 => {}
                    _ => panic!("{key}: only \"try again\" may be answered here: {status} {body}"),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{key} was never answered");
    }

    /// A lead that this buyer bought and did not give back, if there is one.
    pub async fn bought(&self, buyer: &Buyer) -> Option<String> {
        let listed = self.until_done(Method::GET, "/api/leads", &buyer.token, "", None).await.body;
        let leads = listed["leads"].as_array()?;
        leads.iter().find(|lead| lead["returnId"].is_null()).map(|lead| text(&lead["assignmentId"]))
    }

    /// Gives a lead back, and takes it back.
    pub async fn give_back(&self, buyer: &Buyer, assignment: &str) {
        let wish = json!({ "reason": "wrong_number" });
        let path = format!("/api/leads/{assignment}/return");
        let key = format!("back-{assignment}");
        let asked = self.until_done(Method::POST, &path, &buyer.token, &key, Some(&wish)).await;
        let path = format!("/api/returns/{}/approve", text(&asked.body["return"]["id"]));
        self.until_done(Method::POST, &path, &self.seller, "", Some(&json!({}))).await;
    }

    /// Posts a lead until it is answered: its id and the answer.
    pub async fn lead(&self, n: usize) -> (String, Value) {
        let (key, body) = (format!("lead-{n}"), lead(self.campaign, n));
        for _ in 0..TRIES {
            match self.post_once(&key, &body).await {
                Ok(answer) if answer.status.is_success() => return (text(&answer.body["leadId"]), answer.body),
                Ok(answer) => assert_eq!(answer.status, 503, "only \"try again\" may be refused here: {answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{key} was never answered");
    }

    /// Posts a lead, once; whatever is answered.
    pub async fn post_once(&self, key: &str, body: &Value) -> Result<Answer, String> {
        let headers = [("x-api-key", self.api_key.as_str()), ("idempotency-key", key)];
        let url = format!("{}/api/leads/ingest", self.ingest);
        self.client.send(Method::POST, &url, &headers, Some(body)).await
    }

    /// Tells the sandbox something.
    pub async fn sandbox(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let answer = self.client.send(method, &format!("{}{path}", self.sandbox), &[], body).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.body
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        self.until_done(Method::POST, path, token, "", Some(body)).await.body
    }

    /// Repeats a request that does no harm twice until it is done.
    pub async fn until_done(&self, method: Method, path: &str, token: &str, key: &str, body: Option<&Value>) -> Answer {
        for _ in 0..TRIES {
            match self.send(method.clone(), path, token, key, body).await {
                Ok(answer) if answer.status.is_success() => return answer,
                Ok(answer) => assert!(
                    matches!(answer.status.as_u16(), 503 | 504),
                    "{method} {path}: only \"try again\" may be refused here: {answer:?}"
                ),
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{method} {path} was never done");
    }

    /// A request with a token and an idempotency key, unless they are empty; whatever is answered.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let bearer = format!("Bearer {token}");
        let mut headers = Vec::new();
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        if !key.is_empty() {
            headers.push(("idempotency-key", key));
        }
        self.client.send(method, &format!("{}{path}", self.api), &headers, body).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
