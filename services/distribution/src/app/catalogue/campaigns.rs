//! Campaigns with their subscriptions.

use std::collections::HashMap;

use leadflow_kernel::{BuyerId, CampaignId, SellerId, SubscriptionId};

use super::Catalogue;
use crate::{
    app::AppError,
    store::{
        catalogue::campaigns::{self, CampaignFilter, ListedCampaign},
        records::Subscription,
    },
};

/// Whose subscriptions are shown.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Nobody's.
    None,
    /// Everybody's.
    All,
    /// One buyer's.
    Of(BuyerId),
}

/// Campaigns, each with the subscriptions wanted and what they sold today.
pub type CampaignPage = Vec<(ListedCampaign, Vec<(Subscription, u32)>)>;

impl Catalogue {
    /// A tenant's campaigns, the newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the list is to begin after a campaign that the tenant does not have.
    pub async fn list_campaigns(
        &self,
        seller: SellerId,
        wanted: &CampaignFilter,
        shown: Shown,
    ) -> Result<CampaignPage, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = campaigns::campaigns(&mut tx, seller, wanted).await?;
        if let Some(after) = wanted.after.filter(|_| found.is_empty())
            && !campaigns::campaign_exists(&mut tx, seller, after).await?
        {
            return Err(AppError::NotFound("campaign"));
        }
        let buyer = match shown {
            Shown::None => return Ok(found.into_iter().map(|one| (one, Vec::new())).collect()),
            Shown::All => None,
            Shown::Of(buyer) => Some(buyer),
        };
        let ids: Vec<CampaignId> = found.iter().map(|one| one.campaign.id).collect();
        let mut of: HashMap<CampaignId, Vec<(Subscription, u32)>> = HashMap::new();
        for one in campaigns::subscriptions(&mut tx, seller, &ids, buyer, self.clock.now()).await? {
            of.entry(one.0.campaign).or_default().push(one);
        }
        Ok(found
            .into_iter()
            .map(|one| {
                let subscriptions = of.remove(&one.campaign.id).unwrap_or_default();
                (one, subscriptions)
            })
            .collect())
    }

    /// A tenant's subscription with what it sold today.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such subscription.
    pub async fn get_subscription(
        &self,
        seller: SellerId,
        id: SubscriptionId,
    ) -> Result<(Subscription, u32), AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        campaigns::get_subscription(&mut tx, seller, id, self.clock.now())
            .await?
            .ok_or(AppError::NotFound("subscription"))
    }
}
