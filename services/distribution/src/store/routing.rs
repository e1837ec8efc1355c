//! The lock under which a campaign's leads are decided, and the rotation it guards.

use std::collections::HashMap;

use chrono::NaiveDate;
use leadflow_distribution_domain::Rotation;
use leadflow_kernel::{BuyerId, CampaignId, SellerId, SubscriptionId};
use leadflow_platform::db::TenantTx;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::{impossible, unsigned};

/// A campaign's row, locked or as it was seen ([`super::view`]).
#[derive(Debug, Clone, Copy)]
pub struct Locked {
    /// The tenant.
    pub seller: SellerId,
    /// Version of the configuration.
    pub version: i64,
    /// Version of the rotation: the number the next lead sold gets.
    pub next_seq: u64,
}

impl Locked {
    /// From the columns.
    pub(super) fn read(seller: Uuid, version: i64, next_seq: i64) -> Result<Self, sqlx::Error> {
        let next_seq = u64::try_from(next_seq).map_err(|_| impossible("next_seq"))?;
        Ok(Self { seller: seller.into(), version, next_seq })
    }
}

/// Locks the routing rows of these campaigns in id order, waiting for whoever has them. Campaigns
/// that do not exist are left out.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(
    connection: &mut PgConnection,
    campaigns: &[CampaignId],
) -> Result<HashMap<CampaignId, Locked>, sqlx::Error> {
    let ids: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, Uuid, i64, i64)> = sqlx::query_as(
        "SELECT campaign_id, seller_id, version, next_seq FROM distribution.campaign_routing \
         WHERE campaign_id = ANY($1) ORDER BY campaign_id FOR UPDATE",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(id, seller, version, next_seq)| Ok((id.into(), Locked::read(seller, version, next_seq)?)))
        .collect()
}

/// Keeps decisions from being saved that were begun in these campaigns before. Their rows must be locked.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn forestall(connection: &mut PgConnection, campaigns: &[CampaignId]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE distribution.campaign_routing SET epoch = epoch + 1 WHERE campaign_id = ANY($1)")
        .bind(campaigns.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Locks one campaign of a tenant. `None`: the tenant has no such campaign.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_one(
    tx: &mut TenantTx,
    seller: SellerId,
    campaign: CampaignId,
) -> Result<Option<Locked>, sqlx::Error> {
    let locked = lock(tx, &[campaign]).await?.remove(&campaign);
    Ok(locked.filter(|row| row.seller == seller))
}

/// Makes the row of a campaign that may be new.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn create(tx: &mut TenantTx, seller: SellerId, campaign: CampaignId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.campaign_routing (campaign_id, seller_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(campaign.uuid())
    .bind(seller.uuid())
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Tells every replica that what it knows of these campaigns is out of date. Locks them in id order.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn bump(connection: &mut PgConnection, campaigns: &[CampaignId]) -> Result<(), sqlx::Error> {
    if campaigns.is_empty() {
        return Ok(());
    }
    lock(connection, campaigns).await?;
    let ids: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
    sqlx::query("UPDATE distribution.campaign_routing SET version = version + 1 WHERE campaign_id = ANY($1)")
        .bind(ids)
        .execute(connection)
        .await
        .map(|_| ())
}

type RotationRow = (Uuid, Uuid, i64, i64, Option<NaiveDate>, i32);

/// The rotation of these campaigns, by subscription.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn rotations(
    connection: &mut PgConnection,
    campaigns: &[CampaignId],
) -> Result<HashMap<(CampaignId, SubscriptionId), Rotation>, sqlx::Error> {
    let ids: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
    let rows: Vec<RotationRow> = sqlx::query_as(
        "SELECT campaign_id, subscription_id, last_served, wrr_current, cap_day, sold_today \
         FROM distribution.subscription_rotation WHERE campaign_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(campaign, subscription, last_served, wrr_current, cap_day, sold_today)| {
            let rotation = Rotation {
                last_served: u64::try_from(last_served).map_err(|_| impossible("last_served"))?,
                wrr_current,
                cap_day,
                sold_today: unsigned(sold_today, "sold_today")?,
            };
            Ok(((campaign.into(), subscription.into()), rotation))
        })
        .collect()
}

/// Gives a new subscription the place and the day's count of those that its buyer had in the campaign before, if he had
/// any: who leaves and comes back must not be served before those who stayed, nor past his cap.
///
/// Each of them began with the count of the one before it, so the last that was served has the sum. Which one that is
/// is told by the rotation's numbers, not by replicas' clocks.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn keep_place(
    tx: &mut TenantTx,
    campaign: CampaignId,
    buyer: BuyerId,
    subscription: SubscriptionId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.subscription_rotation \
           (campaign_id, subscription_id, last_served, wrr_current, cap_day, sold_today) \
         SELECT r.campaign_id, $3, r.last_served, r.wrr_current, r.cap_day, r.sold_today \
         FROM distribution.subscriptions s JOIN distribution.subscription_rotation r USING (campaign_id, subscription_id) \
         WHERE s.campaign_id = $1 AND s.buyer_id = $2 AND s.subscription_id <> $3 \
         ORDER BY r.last_served DESC, s.created_at DESC, s.subscription_id DESC LIMIT 1 ON CONFLICT DO NOTHING",
    )
    .bind(campaign.uuid())
    .bind(buyer.uuid())
    .bind(subscription.uuid())
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// What a batch moved in the rotation.
#[derive(Debug, Default)]
pub struct Moved {
    /// Campaigns and the number their next lead sold gets.
    pub campaigns: Vec<(CampaignId, u64)>,
    /// Subscriptions and their new places.
    pub rows: Vec<(CampaignId, SubscriptionId, Rotation)>,
}
