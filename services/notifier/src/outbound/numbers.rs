//! What a buyer bought and has: asked of the services that know.

use std::time::Duration;

use chrono::{DateTime, Utc};
use leadflow_contracts::{
    billing::{GetWalletRequest, billing_client::BillingClient},
    distribution::{Dimension, SumByRequest, catalogue_client::CatalogueClient},
    money, time_to_ms,
};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier_domain::amount;
use leadflow_platform::grpc::{Caller, Channel};

const DEADLINE: Duration = Duration::from_secs(10);

/// What a buyer bought in a time, and what he has left now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bought {
    /// Leads.
    pub leads: u64,
    /// What they cost, returns taken off, in words.
    pub spent: String,
    /// Of these leads, those that were given back.
    pub returned: u64,
    /// What is left, in words.
    pub available: Option<String>,
}

/// Who knows it.
#[async_trait::async_trait]
pub trait Numbers: Send + Sync + 'static {
    /// Of one buyer, from `from` until before `until`.
    ///
    /// # Errors
    /// In words: then nothing is known.
    async fn of(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Bought, String>;
}

/// Distribution and billing, over gRPC.
#[derive(Clone)]
pub struct Services {
    catalogue: CatalogueClient<Channel>,
    billing: BillingClient<Channel>,
    caller: Caller,
}

impl Services {
    /// Asks through these channels as `caller`.
    #[must_use]
    pub fn new(distribution: Channel, billing: Channel, caller: Caller) -> Self {
        Self { catalogue: CatalogueClient::new(distribution), billing: BillingClient::new(billing), caller }
    }
}

#[async_trait::async_trait]
impl Numbers for Services {
    async fn of(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Bought, String> {
        let asked = SumByRequest {
            from_ms: time_to_ms(from),
            until_ms: time_to_ms(until),
            dimension: Dimension::Buyer.into(),
            buyer_id: buyer.to_string(),
            ids: vec![buyer.to_string()],
        };
        let sums = self.catalogue.clone().sum_by(self.caller.request(asked, seller, DEADLINE)).await;
        let sums = sums.map_err(|status| format!("distribution did not answer: {}", status.code()))?.into_inner();
        let mut bought = Bought::default();
        if let Some(sum) = sums.sums.first() {
            bought.leads = sum.assignments;
            bought.returned = sum.returned;
            bought.spent = money(sum.revenue.as_ref(), "revenue").map(amount).map_err(|error| error.to_string())?;
        }
        // A summary without it is better than none.
        let asked = GetWalletRequest { buyer_id: buyer.to_string() };
        if let Ok(wallet) = self.billing.clone().get_wallet(self.caller.request(asked, seller, DEADLINE)).await {
            bought.available = money(wallet.get_ref().available.as_ref(), "available").ok().map(amount);
        }
        Ok(bought)
    }
}
