//! A running whole with a tenant to sell leads in.

use std::time::Duration;

use leadflow_contracts::{
    accounts::{self, accounts_client::AccountsClient},
    billing::{self, billing_client::BillingClient},
    common::{self, FieldType, Logic, Status},
    distribution::{self, distribution_client::DistributionClient},
    notifier::{self, notifier_client::NotifierClient},
};
use leadflow_kernel::{
    ApiKeyId, BuyerId, CampaignId, CategoryId, EndpointId, LeadId, SellerId, SubscriptionId, SupplierId,
};
use leadflow_platform::grpc::{self, Caller, Channel, ServiceToken};
use leadflow_testkit::{
    books,
    cluster::{Cluster, ClusterOptions, SERVICE_TOKEN},
    wait,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::{Code, Status as GrpcStatus};

use crate::client::{Answer, Client};

/// How long any state may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(20);

/// Everything a test touches.
pub struct World {
    pub cluster: Cluster,
    pub client: Client,
    pub books: PgPool,
    pub seller: SellerId,
    pub category: CategoryId,
    pub supplier: SupplierId,
    pub api_key: String,
    pub caller: Caller,
}

/// What a subscription may say.
#[derive(Default, Clone)]
pub struct Terms {
    pub daily_cap: Option<u32>,
    pub waterfall: u32,
    pub states: Vec<String>,
}

/// Answers wait for as long as a slow machine may need: only tests of faults want them early.
pub fn options() -> ClusterOptions {
    let mut options = ClusterOptions::new(env!("CARGO_BIN_EXE_leadflow"));
    options.env = ["INGEST_DECISION_WAIT_MS", "INGEST_ACK_TIMEOUT_MS"].map(|name| (name.into(), "20000".into())).into();
    options
}

/// Two replicas of everything that competes for work.
pub fn doubled() -> ClusterOptions {
    options().replicas("distribution", 2).replicas("billing", 2).replicas("notifier", 2)
}

pub fn usd(amount: &str) -> Option<common::Money> {
    Some(common::Money { amount: amount.to_owned(), currency: "USD".to_owned() })
}

impl World {
    /// Starts the processes, a seller with a category, and a supplier that may post to it as fast
    /// as it likes.
    pub async fn start(options: ClusterOptions) -> Self {
        let cluster = Cluster::start(options).await.unwrap();
        let books = PgPool::connect(&cluster.postgres.url()).await.unwrap();
        let caller = Caller::new(ServiceToken::new(SERVICE_TOKEN));
        let mut world = Self {
            cluster,
            client: Client::new(),
            books,
            seller: SellerId::new(),
            category: CategoryId::new(),
            supplier: SupplierId::new(),
            api_key: String::new(),
            caller,
        };
        world.tenant().await;
        world
    }

    async fn tenant(&mut self) {
        let mut accounts = self.accounts();
        let seller = accounts::CreateSellerRequest {
            seller_id: self.seller.to_string(),
            company_name: "Acme Leads".into(),
            posts_per_second: 10_000,
            ..Default::default()
        };
        accounts.create_seller(self.request(seller)).await.unwrap();
        let field = |name: &str, kind: FieldType, required| common::FieldDef {
            name: name.into(),
            r#type: kind.into(),
            required,
            ..Default::default()
        };
        let category = distribution::PutCategoryRequest {
            category_id: self.category.to_string(),
            name: "Medicare Supplement".into(),
            status: Status::Active.into(),
            fields: vec![
                field("firstName", FieldType::Text, true),
                field("lastName", FieldType::Text, true),
                field("email", FieldType::Email, true),
                field("phone", FieldType::Phone, true),
                field("age", FieldType::Number, false),
            ],
            expected_version: None,
        };
        self.retried(async || self.distribution().put_category(self.request(category.clone())).await).await;
        let supplier = accounts::CreateSupplierRequest {
            supplier_id: self.supplier.to_string(),
            name: "Clicks Inc".into(),
            category_ids: vec![self.category.to_string()],
            posts_per_second: 10_000,
        };
        accounts.create_supplier(self.request(supplier)).await.unwrap();
        let key = accounts::CreateApiKeyRequest {
            supplier_id: self.supplier.to_string(),
            key_id: ApiKeyId::new().to_string(),
        };
        self.api_key = accounts.create_api_key(self.request(key)).await.unwrap().into_inner().api_key;
    }

    /// A campaign at this price, known to the gateway when this returns.
    pub async fn campaign(&self, logic: Logic, price: &str, duplicate_days: u32) -> CampaignId {
        let campaign_id = CampaignId::new();
        let campaign = distribution::PutCampaignRequest {
            campaign_id: campaign_id.to_string(),
            category_id: self.category.to_string(),
            name: format!("{logic:?}"),
            status: Status::Active.into(),
            logic: logic.into(),
            price: usd(price),
            allow_state_selection: true,
            duplicates: Some(common::DuplicateRule {
                window_days: duplicate_days,
                fields: vec!["email".into(), "phone".into()],
                r#match: common::DuplicateMatch::Any.into(),
            }),
            ..Default::default()
        };
        self.retried(async || self.distribution().put_campaign(self.request(campaign.clone())).await).await;
        // A post that is known to be invalid tells whether the gateway knows key and campaign.
        wait::until("the gateway knows the campaign", PATIENCE, async || {
            let body = json!({ "campaignId": campaign_id, "data": {} });
            self.post(&body, &[]).await.is_ok_and(|answer| answer.status == 422)
        })
        .await;
        campaign_id
    }

    /// A buyer with money (none: "0") and a webhook at the sandbox.
    pub async fn buyer(&self, name: &str, priority: u32, funds: &str) -> BuyerId {
        let buyer = BuyerId::new();
        let create = accounts::CreateBuyerRequest {
            buyer_id: buyer.to_string(),
            company_name: name.into(),
            priority,
            ..Default::default()
        };
        self.accounts().create_buyer(self.request(create)).await.unwrap();
        if funds != "0" {
            self.credit(buyer, funds, &format!("start-{buyer}")).await;
        }
        let endpoint = notifier::PutEndpointRequest {
            endpoint_id: EndpointId::new().to_string(),
            buyer_id: buyer.to_string(),
            url: format!("{}/hooks/{name}", self.cluster.http_urls("sandbox")[0]),
            secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into(),
            enabled: true,
            expected_version: None,
            ..Default::default()
        };
        self.retried(async || self.notifier().put_endpoint(self.request(endpoint.clone())).await).await;
        buyer
    }

    /// Adds money; safe to repeat with the same `credit`.
    pub async fn credit(&self, buyer: BuyerId, amount: &str, credit: &str) {
        let request = billing::CreditWalletRequest {
            buyer_id: buyer.to_string(),
            credit_id: credit.to_owned(),
            amount: usd(amount),
            description: "test funds".into(),
        };
        self.retried(async || self.billing().credit_wallet(self.request(request.clone())).await).await;
    }

    pub async fn subscribe(&self, campaign: CampaignId, buyer: BuyerId, terms: Terms) -> SubscriptionId {
        let subscription = SubscriptionId::new();
        let put = distribution::PutSubscriptionRequest {
            subscription_id: subscription.to_string(),
            campaign_id: campaign.to_string(),
            buyer_id: buyer.to_string(),
            status: Status::Active.into(),
            daily_cap: terms.daily_cap,
            states: terms.states,
            seller_waterfall_priority: terms.waterfall,
            ..Default::default()
        };
        self.retried(async || self.distribution().put_subscription(self.request(put.clone())).await).await;
        subscription
    }

    pub async fn post(&self, body: &Value, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let url = format!("{}/api/leads/ingest", self.cluster.http_urls("ingest")[0]);
        let mut all = vec![("x-api-key", self.api_key.as_str())];
        all.extend_from_slice(headers);
        self.client.send(http::Method::POST, &url, &all, Some(body)).await
    }

    pub async fn wallet(&self, buyer: BuyerId) -> billing::Wallet {
        let get = billing::GetWalletRequest { buyer_id: buyer.to_string() };
        self.retried(async || self.billing().get_wallet(self.request(get.clone())).await).await
    }

    /// Sales of a campaign by buyer, from the book.
    pub async fn sold(&self, campaign: CampaignId) -> Vec<(BuyerId, i64)> {
        let rows: Vec<(sqlx::types::Uuid, i64)> = sqlx::query_as(
            "SELECT a.buyer_id, count(*) FROM distribution.assignments a \
             JOIN distribution.leads l ON l.lead_id = a.lead_id WHERE l.campaign_id = $1 GROUP BY 1 ORDER BY 1",
        )
        .bind(campaign.uuid())
        .fetch_all(&self.books)
        .await
        .unwrap();
        rows.into_iter().map(|(buyer, count)| (BuyerId::from_uuid(buyer), count)).collect()
    }

    /// What moved at the sandbox's Stripe.
    pub async fn stripe_record(&self) -> books::StripeRecord {
        let url = format!("{}/api/stripe/record", self.cluster.http_urls("sandbox")[0]);
        serde_json::from_value(self.client.get(&url, &[]).await.unwrap().body).unwrap()
    }

    /// Waits until these answered leads are decided and everything that follows from decisions is done.
    pub async fn settled(&self, answers: &[Value]) {
        let leads: Vec<LeadId> =
            answers.iter().map(|answer| answer["leadId"].as_str().unwrap().parse().unwrap()).collect();
        books::wait_until_settled(&self.books, &leads, PATIENCE).await.unwrap();
    }

    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        self.caller.request(message, self.seller, DEADLINE)
    }

    pub fn accounts(&self) -> AccountsClient<Channel> {
        AccountsClient::new(self.channel("accounts"))
    }

    pub fn billing(&self) -> BillingClient<Channel> {
        BillingClient::new(self.channel("billing"))
    }

    pub fn distribution(&self) -> DistributionClient<Channel> {
        DistributionClient::new(self.channel("distribution"))
    }

    pub fn notifier(&self) -> NotifierClient<Channel> {
        NotifierClient::new(self.channel("notifier"))
    }

    fn channel(&self, role: &str) -> Channel {
        grpc::channel(&self.cluster.grpc_urls(role), "test").unwrap()
    }

    /// Repeats a call while what it needs has not been heard of there yet, or the service is busy.
    async fn retried<T>(&self, call: impl AsyncFn() -> Result<tonic::Response<T>, GrpcStatus>) -> T {
        let mut last = None;
        let outcome = wait::try_for("a call is carried out", PATIENCE, async || match call().await {
            Ok(response) => Some(Ok(response.into_inner())),
            Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition | Code::Unavailable) => {
                last = Some(status);
                None
            }
            Err(status) => Some(Err(status)),
        })
        .await;
        match outcome {
            Ok(Ok(value)) => value,
            Ok(Err(status)) => panic!("{status}"),
            Err(error) => panic!("{error}; last: {last:?}"),
        }
    }
}

/// A lead of a person who is nobody else; `n` tells them apart.
pub fn lead(campaign: CampaignId, n: usize) -> Value {
    json!({
        "campaignId": campaign,
        "state": "CA",
        "quality": "HOT",
        "data": {
            "firstName": "Ada",
            "lastName": format!("Number{n}"),
            "email": format!("ada{n}@example.com"),
            "phone": format!("+1212{:07}", 2_000_000 + n),
            "age": 45,
        }
    })
}
