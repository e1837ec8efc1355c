//! One tenant, and short ways to make what it needs.
//!
//! A record made in one service is heard of by the others a moment later, so every call is repeated
//! for a while when what it refers to is not known there yet. Every call is idempotent.

use std::time::Duration;

use ::http::Method;
use anyhow::Context as _;
use bytes::Bytes;
use leadflow_contracts::{
    accounts::{self, accounts_client::AccountsClient},
    billing::{self, billing_client::BillingClient, payments_client::PaymentsClient},
    common::{DuplicateMatch, DuplicateRule, FieldDef, Logic, Money, Status},
    distribution::{self, distribution_client::DistributionClient, returns_client::ReturnsClient},
    notifier::{self, notifier_client::NotifierClient},
};
use leadflow_kernel::{
    ApiKeyId, AssignmentId, BuyerId, CampaignId, CategoryId, EndpointId, ReturnId, SellerId, SubscriptionId, SupplierId,
};
use leadflow_platform::grpc::{self, Caller, Channel};
use leadflow_testkit::wait;
use serde_json::json;
use tonic::{Code, Response};

use super::{Http, Places};

/// The longest one call may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a record may take to become known everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why buyers may return a lead.
pub const REASONS: [&str; 2] = ["wrong_number", "not_interested"];

/// A tenant and clients for every service.
#[derive(Clone)]
pub struct Market {
    /// The tenant.
    pub seller: SellerId,
    /// Where everything is.
    pub places: Places,
    /// Keeps connections to the gateway and the sandbox.
    pub http: Http,
    accounts: AccountsClient<Channel>,
    pub(super) billing: BillingClient<Channel>,
    pub(super) payments: PaymentsClient<Channel>,
    distribution: DistributionClient<Channel>,
    returns: ReturnsClient<Channel>,
    notifier: NotifierClient<Channel>,
    caller: Caller,
}

/// A buyer to make.
#[derive(Debug, Clone)]
pub struct BuyerSpec {
    /// Its id.
    pub id: BuyerId,
    /// The company.
    pub name: String,
    /// 1-10.
    pub priority: u32,
    /// Dollars in the wallet at first; "0" for none.
    pub funds: String,
    /// Dollars it may spend in a week.
    pub weekly_limit: Option<String>,
    /// The sandbox receiver its webhook goes to.
    pub hook: String,
}

/// A campaign to make.
#[derive(Debug, Clone)]
pub struct CampaignSpec {
    /// Its id.
    pub id: CampaignId,
    /// Its category.
    pub category: CategoryId,
    /// Its name.
    pub name: String,
    /// How it chooses.
    pub logic: Logic,
    /// Dollars a lead.
    pub price: String,
    /// Days within which the same e-mail or phone is a duplicate; 0: never.
    pub duplicate_days: u32,
}

/// A subscription to make.
#[derive(Debug, Clone)]
pub struct SubscriptionSpec {
    /// Its id.
    pub id: SubscriptionId,
    /// On what.
    pub campaign: CampaignId,
    /// Whose.
    pub buyer: BuyerId,
    /// Leads a day; `None`: no cap.
    pub daily_cap: Option<u32>,
    /// USPS codes; empty: every state.
    pub states: Vec<String>,
    /// Its place in a waterfall, as the seller fixes it; 0: not fixed.
    pub waterfall: u32,
}

/// An amount of dollars.
#[must_use]
pub fn usd(amount: &str) -> Money {
    Money { amount: amount.to_owned(), currency: "USD".to_owned() }
}

impl Market {
    /// A market of `seller`, which need not exist yet.
    ///
    /// # Errors
    /// When an address cannot be read.
    pub fn new(places: Places, seller: SellerId) -> anyhow::Result<Self> {
        let billing = grpc::channel(&places.billing, "BILLING_GRPC_URL")?;
        Ok(Self {
            seller,
            http: Http::new(),
            accounts: AccountsClient::new(grpc::channel(&places.accounts, "ACCOUNTS_GRPC_URL")?),
            billing: BillingClient::new(billing.clone()),
            payments: PaymentsClient::new(billing),
            distribution: DistributionClient::new(grpc::channel(&places.distribution, "DISTRIBUTION_GRPC_URL")?),
            returns: ReturnsClient::new(grpc::channel(&places.distribution, "DISTRIBUTION_GRPC_URL")?),
            notifier: NotifierClient::new(grpc::channel(&places.notifier, "NOTIFIER_GRPC_URL")?),
            caller: Caller::new(places.token.clone()),
            places,
        })
    }

    /// The tenant itself.
    pub async fn create_seller(&self, company: &str, posts_per_second: u32) -> anyhow::Result<()> {
        let request = accounts::CreateSellerRequest {
            seller_id: self.seller.to_string(),
            company_name: company.to_owned(),
            posts_per_second,
            ..Default::default()
        };
        self.repeat("create the seller", async || {
            self.accounts.clone().create_seller(self.request(request.clone())).await
        })
        .await
        .map(|_| ())
    }

    /// A category with these fields.
    pub async fn put_category(&self, id: CategoryId, name: &str, fields: Vec<FieldDef>) -> anyhow::Result<()> {
        let request = distribution::PutCategoryRequest {
            category_id: id.to_string(),
            name: name.to_owned(),
            status: Status::Active.into(),
            fields,
            expected_version: None,
        };
        self.repeat("make the category", async || {
            self.distribution.clone().put_category(self.request(request.clone())).await
        })
        .await
        .map(|_| ())
    }

    /// A campaign.
    pub async fn put_campaign(&self, spec: &CampaignSpec) -> anyhow::Result<()> {
        let request = distribution::PutCampaignRequest {
            campaign_id: spec.id.to_string(),
            category_id: spec.category.to_string(),
            name: spec.name.clone(),
            description: String::new(),
            status: Status::Active.into(),
            logic: spec.logic.into(),
            price: Some(usd(&spec.price)),
            allow_state_selection: true,
            duplicates: Some(DuplicateRule {
                window_days: spec.duplicate_days,
                fields: vec!["email".to_owned(), "phone".to_owned()],
                r#match: DuplicateMatch::Any.into(),
            }),
            lead_ttl_hours: 0,
            returns: Some(distribution::ReturnPolicy {
                days: 7,
                max_share_percent_per_month: 10,
                reasons: REASONS.map(str::to_owned).to_vec(),
                ..Default::default()
            }),
            expected_version: None,
        };
        self.repeat("make a campaign", async || {
            self.distribution.clone().put_campaign(self.request(request.clone())).await
        })
        .await
        .map(|_| ())
    }

    /// A campaign as it is; `None` when there is none.
    pub async fn campaign(&self, id: CampaignId) -> anyhow::Result<Option<distribution::Campaign>> {
        let request = distribution::GetCampaignRequest { campaign_id: id.to_string() };
        match self.distribution.clone().get_campaign(self.request(request)).await {
            Ok(response) => Ok(Some(response.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status).context("read the campaign"),
        }
    }

    /// A buyer with money and a webhook at the sandbox.
    pub async fn create_buyer(&self, spec: &BuyerSpec) -> anyhow::Result<()> {
        let request = accounts::CreateBuyerRequest {
            buyer_id: spec.id.to_string(),
            company_name: spec.name.clone(),
            priority: spec.priority,
            weekly_spending_limit: spec.weekly_limit.as_deref().map(usd),
            monthly_spending_limit: None,
        };
        self.repeat("create a buyer", async || self.accounts.clone().create_buyer(self.request(request.clone())).await)
            .await?;
        if spec.funds != "0" {
            let request = billing::CreditWalletRequest {
                buyer_id: spec.id.to_string(),
                credit_id: format!("first-{}", spec.id),
                amount: Some(usd(&spec.funds)),
                description: "Demo funds".to_owned(),
            };
            self.repeat("credit a wallet", async || {
                self.billing.clone().credit_wallet(self.request(request.clone())).await
            })
            .await?;
        }
        let request = notifier::PutEndpointRequest {
            endpoint_id: EndpointId::derive(&[spec.id.as_bytes()]).to_string(),
            buyer_id: spec.id.to_string(),
            url: format!("{}/hooks/{}", self.places.sandbox, spec.hook),
            secret: String::new(),
            enabled: true,
            expected_version: None,
            ..Default::default()
        };
        self.repeat("set a webhook", async || self.notifier.clone().put_endpoint(self.request(request.clone())).await)
            .await?;
        self.tell_secret(spec.id, &spec.hook).await
    }

    /// Tells the sandbox the secret of a buyer's webhook, so that it can judge signatures. It forgets
    /// at every restart.
    pub async fn tell_secret(&self, buyer: BuyerId, hook: &str) -> anyhow::Result<()> {
        let request = notifier::GetEndpointRequest { buyer_id: buyer.to_string(), ..Default::default() };
        let endpoint = self
            .repeat("read a webhook", async || self.notifier.clone().get_endpoint(self.request(request.clone())).await)
            .await?;
        self.put_hook(hook, "secret", &json!({ "secret": endpoint.secret })).await
    }

    /// Tells a sandbox receiver something about itself.
    pub async fn put_hook(&self, hook: &str, what: &str, value: &serde_json::Value) -> anyhow::Result<()> {
        let url = format!("{}/api/hooks/{hook}/{what}", self.places.sandbox);
        let answer = self
            .http
            .send_json(Method::PUT, &url, &[], Bytes::from(value.to_string()))
            .await
            .context("cannot reach the sandbox")?;
        anyhow::ensure!(answer.status.is_success(), "the sandbox refused {url}: {}", answer.status);
        Ok(())
    }

    /// Sets a buyer's status.
    pub async fn set_buyer_status(&self, buyer: BuyerId, status: Status) -> anyhow::Result<()> {
        let request = accounts::UpdateBuyerRequest {
            buyer_id: buyer.to_string(),
            status: Some(status.into()),
            ..Default::default()
        };
        self.repeat("set a buyer's status", async || {
            self.accounts.clone().update_buyer(self.request(request.clone())).await
        })
        .await
        .map(|_| ())
    }

    /// A subscription.
    pub async fn put_subscription(&self, spec: &SubscriptionSpec, status: Status) -> anyhow::Result<()> {
        let request = distribution::PutSubscriptionRequest {
            subscription_id: spec.id.to_string(),
            campaign_id: spec.campaign.to_string(),
            buyer_id: spec.buyer.to_string(),
            status: status.into(),
            daily_cap: spec.daily_cap,
            states: spec.states.clone(),
            waterfall_priority: 0,
            seller_waterfall_priority: spec.waterfall,
            expected_version: None,
        };
        self.repeat("subscribe a buyer", async || {
            self.distribution.clone().put_subscription(self.request(request.clone())).await
        })
        .await
        .map(|_| ())
    }

    /// A supplier for these categories; answers it as it is, with its keys.
    pub async fn create_supplier(
        &self,
        id: SupplierId,
        name: &str,
        categories: &[CategoryId],
        posts_per_second: u32,
    ) -> anyhow::Result<accounts::Supplier> {
        let request = accounts::CreateSupplierRequest {
            supplier_id: id.to_string(),
            name: name.to_owned(),
            category_ids: categories.iter().map(ToString::to_string).collect(),
            posts_per_second,
        };
        self.repeat("create the supplier", async || {
            self.accounts.clone().create_supplier(self.request(request.clone())).await
        })
        .await
    }

    /// A new key of a supplier in place of its others.
    pub async fn new_key(&self, supplier: SupplierId) -> anyhow::Result<String> {
        let request = accounts::RotateApiKeyRequest {
            supplier_id: supplier.to_string(),
            key_id: ApiKeyId::new().to_string(),
            overlap_seconds: 0,
        };
        // Not repeated: a second key would come of it.
        let response = self.accounts.clone().rotate_api_key(self.request(request)).await.context("make an API key")?;
        Ok(response.into_inner().api_key)
    }

    /// A lead with its trace in sentences.
    pub async fn lead(&self, lead_id: &str) -> anyhow::Result<distribution::Lead> {
        let request = distribution::GetLeadRequest { lead_id: lead_id.to_owned() };
        self.repeat("read a lead", async || self.distribution.clone().get_lead(self.request(request.clone())).await)
            .await
    }

    /// A buyer asks to have a purchase undone; or else the sentence of whoever refuses.
    pub async fn ask_back(
        &self,
        buyer: BuyerId,
        sale: AssignmentId,
        reason: &str,
    ) -> Result<distribution::Return, String> {
        let request = distribution::RequestReturnRequest {
            return_id: ReturnId::derive(&[b"demo", sale.as_bytes()]).to_string(),
            assignment_id: sale.to_string(),
            buyer_id: buyer.to_string(),
            reason: reason.to_owned(),
            note: String::new(),
        };
        let asked = self.returns.clone().request_return(self.request(request)).await;
        asked.map(Response::into_inner).map_err(|status| status.message().to_owned())
    }

    /// The seller decides about it.
    pub async fn decide_return(&self, return_id: &str, approve: bool) -> anyhow::Result<distribution::Return> {
        let request =
            distribution::DecideReturnRequest { return_id: return_id.to_owned(), approve, note: String::new() };
        self.repeat("decide a return", async || self.returns.clone().decide_return(self.request(request.clone())).await)
            .await
    }

    /// Waits until the gateway knows this key and campaign. Nothing is posted: the body it tries with
    /// is not valid.
    pub async fn wait_for_gateway(&self, key: &str, campaign: CampaignId) -> anyhow::Result<()> {
        let url = format!("{}/api/leads/ingest", self.places.ingest);
        let body = Bytes::from(json!({ "campaignId": campaign, "data": {} }).to_string());
        let mut last = "no answer".to_owned();
        let known = wait::try_for("the gateway", PATIENCE, async || {
            match self.http.send_json(Method::POST, &url, &[("x-api-key", key)], body.clone()).await {
                Ok(answer) if answer.status == 422 => return Some(()),
                Ok(answer) => last = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(error) => last = format!("{error:#}"),
            }
            None
        })
        .await;
        known.map_err(|_| anyhow::anyhow!("the gateway at {url} does not know the new campaign: {last}"))
    }

    pub(super) fn request<T>(&self, message: T) -> tonic::Request<T> {
        self.caller.request(message, self.seller, DEADLINE)
    }

    pub(super) async fn repeat<T>(
        &self,
        what: &str,
        call: impl AsyncFn() -> Result<Response<T>, tonic::Status>,
    ) -> anyhow::Result<T> {
        let mut last = None;
        let outcome = wait::try_for(what, PATIENCE, async || match call().await {
            Ok(response) => Some(Ok(response.into_inner())),
            Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition | Code::Unavailable) => {
                last = Some(status);
                None
            }
            Err(status) => Some(Err(status)),
        })
        .await;
        match (outcome, last) {
            (Ok(Ok(value)), _) => Ok(value),
            (Ok(Err(status)), _) | (Err(_), Some(status)) => {
                Err(anyhow::anyhow!("cannot {what}: {}", status.message()))
            }
            (Err(elapsed), None) => Err(elapsed).with_context(|| format!("cannot {what}")),
        }
    }
}
