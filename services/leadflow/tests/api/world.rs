//! A running whole, and tenants that register in it like anybody.

use std::time::Duration;

use leadflow_testkit::{
    cluster::{Cluster, ClusterOptions},
    wait,
};
use serde_json::{Value, json};

use crate::client::Client;

/// How long any state may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "a long walk by the sea 71";

pub struct World {
    pub cluster: Cluster,
    pub client: Client,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    pub email: String,
    pub token: String,
    pub user: Value,
}

/// A seller with everything that can be set up, a buyer, and a lead that he bought.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub seller: Person,
    pub buyer: Person,
    pub invite_code: String,
    pub category: String,
    pub campaign: String,
    pub subscription: String,
    pub supplier: String,
    pub api_key: String,
    pub lead: String,
}

/// The `id` in an answer's record.
pub fn id(body: &Value, record: &str) -> String {
    body[record]["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

impl World {
    /// Every role once; allowances are wide, for tests are hasty.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// And these settings.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::replicated(1, settings).await
    }

    /// And so many replicas of the API.
    pub async fn replicated(replicas: usize, settings: &[(&str, &str)]) -> Self {
        Self::of(&[("bff", replicas)], settings).await
    }

    /// With so many replicas of these roles, one of the others; the API is there if it is named.
    pub async fn of(replicas: &[(&'static str, usize)], settings: &[(&str, &str)]) -> Self {
        let mut options = ClusterOptions::new(env!("CARGO_BIN_EXE_leadflow"));
        for (role, count) in replicas {
            options.roles.retain(|(known, _)| known != role);
            options.roles.push((*role, *count));
        }
        options.env = [
            ("INGEST_DECISION_WAIT_MS", "20000"),
            ("INGEST_ACK_TIMEOUT_MS", "20000"),
            ("BFF_CALL_TIMEOUT_MS", "20000"),
            ("READS_PER_MINUTE", "100000"),
            ("WRITES_PER_MINUTE", "100000"),
            ("SIGN_INS_PER_MINUTE", "100000"),
            ("PASSWORDS_PER_QUARTER_HOUR", "10000"),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let cluster = Cluster::start(options).await.unwrap();
        let client = Client::new(&cluster.http_urls("bff")[0]);
        Self { cluster, client }
    }

    pub async fn log_in(&self, email: &str) -> Person {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.client.post("/api/auth/login", "", &body).await.ok(200);
        let token = answer["token"].as_str().unwrap().to_owned();
        Person { email: email.to_owned(), token, user: answer["user"].clone() }
    }

    pub async fn seller(&self, name: &str) -> (Person, String) {
        let email = format!("{name}@seller.example");
        let body = json!({
            "email": email, "password": PASSWORD, "name": name, "role": "SELLER", "companyName": format!("{name} Ltd"),
        });
        let answer = self.client.post("/api/auth/register", "", &body).await.ok(201);
        let code = answer["user"]["inviteCode"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (self.log_in(&email).await, code)
    }

    pub async fn buyer(&self, name: &str, invite_code: &str) -> Person {
        let email = format!("{name}@buyer.example");
        let body = json!({
            "email": email, "password": PASSWORD, "name": name, "role": "BUYER", "companyName": format!("{name} Inc"),
            "inviteCode": invite_code,
        });
        let answer = self.client.post("/api/auth/register", "", &body).await.ok(201);
        assert!(answer["user"]["sellerId"].as_str().is_some_and(|id| id.starts_with("seller_")), "{answer}");
        self.log_in(&email).await
    }

    pub async fn category(&self, seller: &Person, name: &str) -> String {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "required": true });
        let fields =
            [("firstName", "text"), ("lastName", "text"), ("email", "email"), ("phone", "phone"), ("age", "number")];
        let body = json!({ "name": name, "fields": fields.map(|(name, kind)| field(name, kind)) });
        id(&self.client.post("/api/categories", &seller.token, &body).await.ok(201), "category")
    }

    pub async fn campaign(&self, seller: &Person, category: &str) -> String {
        let body = json!({
            "categoryId": category, "name": "Medicare Leads - California",
            "description": "High quality Medicare supplement leads", "pricePerLead": 25.00,
            "distributionLogic": "WEIGHTED_ROUND_ROBIN", "allowStateSelection": true,
        });
        id(&self.client.post("/api/campaigns", &seller.token, &body).await.ok(201), "campaign")
    }

    pub async fn subscribe(&self, buyer: &Person, campaign: &str) -> String {
        let body =
            json!({ "campaignId": campaign, "dailyCap": 10, "states": ["CA", "NY", "TX"], "waterfallPriority": 1 });
        id(&self.client.post("/api/campaigns/subscribe", &buyer.token, &body).await.ok(201), "subscription")
    }

    pub async fn credit(&self, seller: &Person, buyer: &str, amount: u32) {
        let body = json!({ "amount": amount, "reason": "bank transfer" });
        self.client.post(&format!("/api/buyers/{buyer}/credits"), &seller.token, &body).await.ok(201);
    }

    /// A supplier and its key.
    pub async fn supplier(&self, seller: &Person, category: &str) -> (String, String) {
        let body = json!({ "name": "Clicks Inc", "categories": [category] });
        let answer = self.client.post("/api/suppliers", &seller.token, &body).await.ok(201);
        (id(&answer, "supplier"), answer["apiKey"].as_str().unwrap().to_owned())
    }

    /// Posts a lead as soon as the gateway knows key and campaign, and gives its decision.
    pub async fn post_lead(&self, api_key: &str, campaign: &str, number: u32) -> Value {
        let body = json!({
            "campaignId": campaign, "state": "CA", "quality": "HOT",
            "data": {
                "firstName": "John", "lastName": "Doe", "email": format!("john{number}@example.com"),
                "phone": format!("+1212{:07}", 2_000_000 + number), "age": 45,
            },
        });
        let headers = [("x-api-key", api_key), ("content-type", "application/json")];
        wait::until_some("the gateway knows the campaign", PATIENCE, async || {
            let body = Some(body.to_string().into());
            let answer = self.client.send(http::Method::POST, "/api/leads/ingest", &headers, body).await;
            (!matches!(answer.status.as_u16(), 401 | 403 | 404 | 503)).then(|| answer.ok(201))
        })
        .await
    }

    /// Has the tenant's campaign take leads back, and its buyer ask for it: the assignment and the return.
    pub async fn ask_back(&self, tenant: &Tenant) -> (String, String) {
        let path = format!("/api/campaigns/{}", tenant.campaign);
        let change = json!({ "returns": { "days": 7, "reasons": ["wrong_number", "not_interested"] } });
        self.client.put(&path, &tenant.seller.token, &change).await.ok(200);
        let bought = self.client.get("/api/leads", &tenant.buyer.token).await.ok(200);
        let assignment = bought["leads"][0]["assignmentId"].as_str().unwrap().to_owned();
        let wish = json!({ "reason": "wrong_number", "note": "rings at a bakery" });
        let path = format!("/api/leads/{assignment}/return");
        let asked = self.client.post(&path, &tenant.buyer.token, &wish).await.ok(201);
        (assignment, id(&asked, "return"))
    }

    /// A tenant with one of everything, and a lead that its buyer bought.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let (seller, invite_code) = self.seller(name).await;
        let buyer = self.buyer(name, &invite_code).await;
        let category = self.category(&seller, "Medicare Supplement").await;
        let campaign = self.campaign(&seller, &category).await;
        let subscription = self.subscribe(&buyer, &campaign).await;
        self.credit(&seller, buyer.user["buyerId"].as_str().unwrap(), 100).await;
        let (supplier, api_key) = self.supplier(&seller, &category).await;
        let lead = self.post_lead(&api_key, &campaign, 1).await;
        let lead = lead["leadId"].as_str().unwrap().to_owned();
        let tenant = Tenant { seller, buyer, invite_code, category, campaign, subscription, supplier, api_key, lead };
        // Money and buyer may have come to be known after the lead; it waits for them.
        wait::until("the lead is sold", PATIENCE, async || {
            self.client.get(&format!("/api/leads/{}", tenant.lead), &tenant.buyer.token).await.status == 200
        })
        .await;
        tenant
    }
}
