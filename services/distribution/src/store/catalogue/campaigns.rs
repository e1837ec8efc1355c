//! Categories, campaigns and subscriptions, as lists.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use leadflow_distribution_domain::{Rotation, Status, day_in};
use leadflow_kernel::{BuyerId, CampaignId, CategoryId, SellerId, SubscriptionId};
use leadflow_platform::db::TenantTx;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::store::{
    columns::{self, impossible, status_text, unsigned},
    configuration::{
        CampaignRow, CategoryRow, SubscriptionRow, campaign, category, subscription, whole_campaign, whole_subscription,
    },
    records::{Campaign, Category, Field, Subscription},
};

/// Subscriptions shown with a campaign in a list.
const SUBSCRIPTIONS_SHOWN: i64 = 100;

/// A tenant's category.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn get_category(
    tx: &mut TenantTx,
    seller: SellerId,
    id: CategoryId,
) -> Result<Option<Category>, sqlx::Error> {
    let row: Option<CategoryRow> = sqlx::query_as(
        "SELECT category_id, seller_id, version, name, status, fields FROM distribution.categories \
         WHERE category_id = $1 AND seller_id = $2",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(category).transpose()
}

/// A tenant's categories by name, from the one that comes after `after`; none when that does not exist.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn categories(
    tx: &mut TenantTx,
    seller: SellerId,
    with_archived: bool,
    after: Option<CategoryId>,
    limit: u32,
) -> Result<Vec<Category>, sqlx::Error> {
    let rows: Vec<CategoryRow> = sqlx::query_as(
        "SELECT category_id, seller_id, version, name, status, fields FROM distribution.categories \
         WHERE seller_id = $1 AND ($2 OR status <> 'archived') \
           AND ($3::uuid IS NULL OR (lower(name), category_id) > (SELECT lower(name), category_id \
             FROM distribution.categories WHERE category_id = $3 AND seller_id = $1)) \
         ORDER BY lower(name), category_id LIMIT $4",
    )
    .bind(seller.uuid())
    .bind(with_archived)
    .bind(after.map(|id| id.uuid()))
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(category).collect()
}

/// Which campaigns.
#[derive(Debug, Clone)]
pub struct CampaignFilter {
    /// In one of these.
    pub statuses: Vec<Status>,
    /// Of this category.
    pub category: Option<CategoryId>,
    /// Only these; empty: any.
    pub ids: Vec<CampaignId>,
    /// From the one that comes after this.
    pub after: Option<CampaignId>,
    /// At most.
    pub limit: u32,
}

/// A campaign in a list.
#[derive(Debug)]
pub struct ListedCampaign {
    /// The campaign.
    pub campaign: Campaign,
    /// What it sells.
    pub category: Category,
    /// That are not archived.
    pub subscriptions: u32,
    /// It got so far, without tests.
    pub leads: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    campaign: CampaignRow,
    category_version: i64,
    category_name: String,
    category_status: String,
    category_fields: Json<Vec<Field>>,
    subscription_count: i64,
    lead_count: i64,
    created_at: DateTime<Utc>,
}

/// A tenant's campaigns, the newest first; none when `after` does not exist.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn campaigns(
    tx: &mut TenantTx,
    seller: SellerId,
    wanted: &CampaignFilter,
) -> Result<Vec<ListedCampaign>, sqlx::Error> {
    let rows: Vec<ListedRow> = sqlx::query_as(concat!(
        "SELECT ",
        whole_campaign!(),
        ", c.created_at, k.version AS category_version, k.name AS category_name, k.status AS category_status, \
           k.fields AS category_fields, r.leads AS lead_count, \
           (SELECT count(*) FROM distribution.subscriptions s \
            WHERE s.campaign_id = c.campaign_id AND s.status <> 'archived') AS subscription_count \
         FROM distribution.campaigns c JOIN distribution.categories k ON k.category_id = c.category_id \
           JOIN distribution.campaign_routing r ON r.campaign_id = c.campaign_id \
         WHERE c.seller_id = $1 AND c.status = ANY($2) AND ($3::uuid IS NULL OR c.category_id = $3) \
           AND (cardinality($4::uuid[]) = 0 OR c.campaign_id = ANY($4)) \
           AND ($5::uuid IS NULL OR (c.created_at, c.campaign_id) < (SELECT created_at, campaign_id \
             FROM distribution.campaigns WHERE campaign_id = $5 AND seller_id = $1)) \
         ORDER BY c.created_at DESC, c.campaign_id DESC LIMIT $6"
    ))
    .bind(seller.uuid())
    .bind(wanted.statuses.iter().map(|status| status_text(*status)).collect::<Vec<_>>())
    .bind(wanted.category.map(|id| id.uuid()))
    .bind(wanted.ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(wanted.after.map(|id| id.uuid()))
    .bind(i64::from(wanted.limit))
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(listed).collect()
}

fn listed(row: ListedRow) -> Result<ListedCampaign, sqlx::Error> {
    let campaign = campaign(row.campaign)?;
    let category = CategoryRow {
        category_id: campaign.category.uuid(),
        seller_id: campaign.seller.uuid(),
        version: row.category_version,
        name: row.category_name,
        status: row.category_status,
        fields: row.category_fields,
    };
    Ok(ListedCampaign {
        category: self::category(category)?,
        subscriptions: u32::try_from(row.subscription_count).map_err(|_| impossible("subscription_count"))?,
        leads: u64::try_from(row.lead_count).map_err(|_| impossible("leads"))?,
        created_at: row.created_at,
        campaign,
    })
}

#[derive(FromRow)]
struct SoldRow {
    #[sqlx(flatten)]
    subscription: SubscriptionRow,
    cap_day: Option<NaiveDate>,
    sold_today: Option<i32>,
    time_zone: String,
}

impl SoldRow {
    fn read(self, now: DateTime<Utc>) -> Result<(Subscription, u32), sqlx::Error> {
        let zone: Tz = columns::zone(&self.time_zone)?;
        let sold_today = unsigned(self.sold_today.unwrap_or(0), "sold_today")?;
        let rotation = Rotation { cap_day: self.cap_day, sold_today, ..Rotation::default() };
        Ok((subscription(self.subscription)?, rotation.sold_on(day_in(zone, now))))
    }
}

/// The oldest subscriptions of each of these campaigns that are not archived, all or one buyer's, with what each sold
/// on the tenant's day of `now`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn subscriptions(
    tx: &mut TenantTx,
    seller: SellerId,
    campaigns: &[CampaignId],
    buyer: Option<BuyerId>,
    now: DateTime<Utc>,
) -> Result<Vec<(Subscription, u32)>, sqlx::Error> {
    let rows: Vec<SoldRow> = sqlx::query_as(concat!(
        "SELECT ",
        whole_subscription!(),
        ", r.cap_day, r.sold_today, z.time_zone \
         FROM (SELECT *, row_number() OVER (PARTITION BY campaign_id ORDER BY created_at, subscription_id) AS place \
               FROM distribution.subscriptions WHERE campaign_id = ANY($2) AND seller_id = $1 AND status <> 'archived' \
                 AND ($3::uuid IS NULL OR buyer_id = $3)) s \
         JOIN distribution.sellers z ON z.seller_id = s.seller_id \
         LEFT JOIN distribution.subscription_rotation r \
           ON r.campaign_id = s.campaign_id AND r.subscription_id = s.subscription_id \
         WHERE s.place <= $4 ORDER BY s.created_at, s.subscription_id"
    ))
    .bind(seller.uuid())
    .bind(campaigns.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .bind(buyer.map(|id| id.uuid()))
    .bind(SUBSCRIPTIONS_SHOWN)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(|row| row.read(now)).collect()
}

/// A tenant's subscription, with what it sold on the tenant's day of `now`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn get_subscription(
    tx: &mut TenantTx,
    seller: SellerId,
    id: SubscriptionId,
    now: DateTime<Utc>,
) -> Result<Option<(Subscription, u32)>, sqlx::Error> {
    let row: Option<SoldRow> = sqlx::query_as(concat!(
        "SELECT ",
        whole_subscription!(),
        ", r.cap_day, r.sold_today, z.time_zone FROM distribution.subscriptions s \
         JOIN distribution.sellers z ON z.seller_id = s.seller_id \
         LEFT JOIN distribution.subscription_rotation r \
           ON r.campaign_id = s.campaign_id AND r.subscription_id = s.subscription_id \
         WHERE s.subscription_id = $1 AND s.seller_id = $2"
    ))
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| row.read(now)).transpose()
}

/// Whether the tenant has this campaign.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn campaign_exists(tx: &mut TenantTx, seller: SellerId, id: CampaignId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM distribution.campaigns WHERE campaign_id = $1 AND seller_id = $2)")
        .bind(id.uuid())
        .bind(seller.uuid())
        .fetch_one(&mut **tx)
        .await
}
