//! A campaign with its subscriptions.

use std::collections::HashMap;

use leadflow_distribution_domain::day_in;
use leadflow_kernel::{CampaignId, SellerId, SubscriptionId};
use leadflow_platform::db::TenantTx;

use super::{App, AppError};
use crate::store::{
    configuration,
    records::{Campaign, Subscription},
};

/// A campaign, and its subscriptions with what each sold today.
#[derive(Debug)]
pub struct CampaignView {
    /// The campaign.
    pub campaign: Campaign,
    /// The oldest first.
    pub subscriptions: Vec<(Subscription, u32)>,
}

impl App {
    /// A tenant's campaign.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such campaign.
    pub async fn get_campaign(&self, seller: SellerId, id: CampaignId) -> Result<CampaignView, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let campaign = configuration::get_campaign(&mut tx, seller, id).await?.ok_or(AppError::NotFound("campaign"))?;
        let subscriptions = configuration::subscriptions_of(&mut tx, id).await?;
        let sold = self.sold_today(&mut tx, seller, id).await?;
        let subscriptions = subscriptions
            .into_iter()
            .map(|subscription| {
                let sold = sold.get(&subscription.id).copied().unwrap_or(0);
                (subscription, sold)
            })
            .collect();
        Ok(CampaignView { campaign, subscriptions })
    }

    /// What each subscription of a campaign sold on the tenant's present day.
    pub(super) async fn sold_today(
        &self,
        tx: &mut TenantTx,
        seller: SellerId,
        campaign: CampaignId,
    ) -> Result<HashMap<SubscriptionId, u32>, sqlx::Error> {
        let Some(zone) = configuration::time_zone_of(tx, seller).await? else {
            return Ok(HashMap::new());
        };
        let today = day_in(zone, self.clock.now());
        let rows = configuration::sold_days(tx, campaign).await?;
        Ok(rows.into_iter().filter(|(_, day, _)| *day == today).map(|(id, _, sold)| (id, sold)).collect())
    }
}
