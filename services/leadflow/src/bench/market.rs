//! A seller with campaigns and buyers, made through the services' own commands.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use leadflow_contracts::{
    accounts::{self, accounts_client::AccountsClient},
    billing::{self, billing_client::BillingClient},
    common::{self, FieldType, Logic, Status},
    distribution::{self, distribution_client::DistributionClient},
    notifier::{self, notifier_client::NotifierClient},
};
use leadflow_kernel::{ApiKeyId, BuyerId, CampaignId, CategoryId, EndpointId, SellerId, SubscriptionId, SupplierId};
use leadflow_platform::grpc::{self, Caller, Channel, ServiceToken};
use leadflow_testkit::{
    cluster::{Cluster, SERVICE_TOKEN},
    wait,
};
use tonic::{Code, Response, Status as GrpcStatus};

use super::load::{self, Target};

const PATIENCE: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(10);
/// What a lead costs, and what each buyer has.
const PRICE: &str = "25.00";
const FUNDS: &str = "100000000.00";
/// Commands under way at once.
const AT_ONCE: usize = 8;

/// A tenant's commands.
pub struct Market {
    accounts: AccountsClient<Channel>,
    billing: BillingClient<Channel>,
    distribution: DistributionClient<Channel>,
    notifier: NotifierClient<Channel>,
    caller: Caller,
    /// The tenant.
    pub seller: SellerId,
    category: CategoryId,
    api_key: Arc<str>,
    gateway: SocketAddr,
    webhooks: SocketAddr,
}

impl Market {
    /// A seller with a category and a supplier that may post as fast as it can.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn open(cluster: &Cluster, webhooks: SocketAddr) -> anyhow::Result<Self> {
        let channel = |role: &str| grpc::channel(&cluster.grpc_urls(role), "bench");
        let gateway = cluster.http_urls("ingest").into_iter().next().context("no gateway")?;
        let mut market = Self {
            accounts: AccountsClient::new(channel("accounts")?),
            billing: BillingClient::new(channel("billing")?),
            distribution: DistributionClient::new(channel("distribution")?),
            notifier: NotifierClient::new(channel("notifier")?),
            caller: Caller::new(ServiceToken::new(SERVICE_TOKEN)),
            seller: SellerId::new(),
            category: CategoryId::new(),
            api_key: Arc::from(""),
            gateway: gateway.trim_start_matches("http://").parse().context("the gateway's address")?,
            webhooks,
        };
        market.tenant().await?;
        Ok(market)
    }

    async fn tenant(&mut self) -> anyhow::Result<()> {
        let seller = accounts::CreateSellerRequest {
            seller_id: self.seller.to_string(),
            company_name: "Bench Leads".into(),
            posts_per_second: 100_000,
            ..Default::default()
        };
        repeat(async || self.accounts.clone().create_seller(self.request(seller.clone())).await).await?;
        let field = |name: &str, kind: FieldType| common::FieldDef {
            name: name.into(),
            r#type: kind.into(),
            required: true,
            ..Default::default()
        };
        let category = distribution::PutCategoryRequest {
            category_id: self.category.to_string(),
            name: "Medicare Supplement".into(),
            status: Status::Active.into(),
            fields: vec![
                field("firstName", FieldType::Text),
                field("lastName", FieldType::Text),
                field("email", FieldType::Email),
                field("phone", FieldType::Phone),
                field("age", FieldType::Number),
            ],
            expected_version: None,
        };
        repeat(async || self.distribution.clone().put_category(self.request(category.clone())).await).await?;
        let supplier = SupplierId::new();
        let create = accounts::CreateSupplierRequest {
            supplier_id: supplier.to_string(),
            name: "Bench Supplier".into(),
            category_ids: vec![self.category.to_string()],
            posts_per_second: 100_000,
        };
        repeat(async || self.accounts.clone().create_supplier(self.request(create.clone())).await).await?;
        let key =
            accounts::CreateApiKeyRequest { supplier_id: supplier.to_string(), key_id: ApiKeyId::new().to_string() };
        let key = self.accounts.clone().create_api_key(self.request(key)).await?.into_inner();
        self.api_key = key.api_key.into();
        Ok(())
    }

    /// `campaigns` round robins of ten buyers each, all with a webhook and more money than they can
    /// spend: the same ten buyers in every campaign, or ten of its own.
    ///
    /// # Errors
    /// When a command fails or the gateway does not hear of it.
    pub async fn campaigns(&self, campaigns: usize, own_buyers: bool) -> anyhow::Result<Target> {
        let shared = self.buyers(if own_buyers { campaigns * 10 } else { 10 }).await?;
        let mut ids = Vec::with_capacity(campaigns);
        for index in 0..campaigns {
            let campaign = CampaignId::new();
            let put = distribution::PutCampaignRequest {
                campaign_id: campaign.to_string(),
                category_id: self.category.to_string(),
                name: format!("Campaign {campaign}"),
                status: Status::Active.into(),
                logic: Logic::RoundRobin.into(),
                price: usd(PRICE),
                duplicates: Some(common::DuplicateRule {
                    window_days: 30,
                    fields: vec!["email".into(), "phone".into()],
                    r#match: common::DuplicateMatch::Any.into(),
                }),
                ..Default::default()
            };
            repeat(async || self.distribution.clone().put_campaign(self.request(put.clone())).await).await?;
            let members = if own_buyers { &shared[index * 10..(index + 1) * 10] } else { &shared[..] };
            stream::iter(members)
                .map(|&buyer| self.subscribe(campaign, buyer))
                .buffer_unordered(AT_ONCE)
                .try_collect::<()>()
                .await?;
            ids.push(campaign);
        }
        let target = Target { address: self.gateway, api_key: Arc::clone(&self.api_key), campaigns: ids.into() };
        self.known_everywhere(&target).await?;
        Ok(target)
    }

    async fn buyers(&self, count: usize) -> anyhow::Result<Vec<BuyerId>> {
        stream::iter(0..count).map(|index| self.buyer(index)).buffered(AT_ONCE).try_collect().await
    }

    async fn buyer(&self, index: usize) -> anyhow::Result<BuyerId> {
        let buyer = BuyerId::new();
        let create = accounts::CreateBuyerRequest {
            buyer_id: buyer.to_string(),
            company_name: format!("Buyer {index}"),
            priority: 5,
            ..Default::default()
        };
        repeat(async || self.accounts.clone().create_buyer(self.request(create.clone())).await).await?;
        let credit = billing::CreditWalletRequest {
            buyer_id: buyer.to_string(),
            credit_id: format!("bench-{buyer}"),
            amount: usd(FUNDS),
            description: "bench".into(),
        };
        repeat(async || self.billing.clone().credit_wallet(self.request(credit.clone())).await).await?;
        let endpoint = notifier::PutEndpointRequest {
            endpoint_id: EndpointId::new().to_string(),
            buyer_id: buyer.to_string(),
            url: format!("http://{}/{buyer}", self.webhooks),
            secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into(),
            enabled: true,
            expected_version: None,
            ..Default::default()
        };
        repeat(async || self.notifier.clone().put_endpoint(self.request(endpoint.clone())).await).await?;
        Ok(buyer)
    }

    async fn subscribe(&self, campaign: CampaignId, buyer: BuyerId) -> anyhow::Result<()> {
        let put = distribution::PutSubscriptionRequest {
            subscription_id: SubscriptionId::new().to_string(),
            campaign_id: campaign.to_string(),
            buyer_id: buyer.to_string(),
            status: Status::Active.into(),
            ..Default::default()
        };
        repeat(async || self.distribution.clone().put_subscription(self.request(put.clone())).await).await.map(drop)
    }

    /// The gateway refuses an empty lead with 422 once it knows key and campaign.
    async fn known_everywhere(&self, target: &Target) -> anyhow::Result<()> {
        for campaign in target.campaigns.iter() {
            let known = wait::try_for("the gateway knows the campaign", PATIENCE, async || {
                load::is_known(target, *campaign).await.then_some(())
            });
            known.await.context("the gateway was not told of a campaign")?;
        }
        Ok(())
    }

    fn request<T>(&self, message: T) -> tonic::Request<T> {
        self.caller.request(message, self.seller, DEADLINE)
    }
}

fn usd(amount: &str) -> Option<common::Money> {
    Some(common::Money { amount: amount.to_owned(), currency: "USD".to_owned() })
}

/// Repeats a command while what it needs has not been heard of there yet, or the service is busy.
async fn repeat<T>(call: impl AsyncFn() -> Result<Response<T>, GrpcStatus>) -> anyhow::Result<T> {
    let mut last = None;
    let outcome = wait::try_for("a command is carried out", PATIENCE, async || match call().await {
        Ok(response) => Some(Ok(response.into_inner())),
        Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition | Code::Unavailable) => {
            last = Some(status);
            None
        }
        Err(status) => Some(Err(status)),
    })
    .await;
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(status)) => Err(status.into()),
        Err(error) => Err(anyhow::anyhow!("{error}; last answer: {last:?}")),
    }
}
