//! Categories, campaigns and subscriptions as records.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_distribution_domain::{
    State, Status,
    returns::{RefusalPolicy, ReturnPolicy},
};
use leadflow_kernel::{CampaignId, CategoryId, SellerId, SubscriptionId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    columns::{self, logic_text, match_text, signed, status_text, unsigned},
    records::{Campaign, Category, Field, Subscription},
};

/// The columns of a campaign `c`: a statement that reads whole rows fails once its table has been given another column.
macro_rules! whole_campaign {
    () => {
        "c.campaign_id, c.seller_id, c.category_id, c.version, c.name, c.description, c.status, c.logic, \
         c.price, c.currency, c.allow_state_selection, c.duplicate_window_days, c.duplicate_fields, \
         c.duplicate_match, c.lead_ttl_hours, c.returns_days, c.returns_max_share, c.returns_reasons, \
         c.returns_auto_approve, c.returns_out_of_caps, c.refusals_credited, c.refusals_sold_on, \
         c.refusals_max_share"
    };
}
pub(super) use whole_campaign;

/// The columns of a subscription `s`: a statement that reads whole rows fails once its table has been given another column.
macro_rules! whole_subscription {
    () => {
        "s.subscription_id, s.campaign_id, s.buyer_id, s.seller_id, s.version, s.status, s.daily_cap, \
         s.states, s.waterfall_priority, s.seller_waterfall_priority"
    };
}
pub(super) use whole_subscription;

#[derive(FromRow)]
pub(super) struct CategoryRow {
    pub(super) category_id: Uuid,
    pub(super) seller_id: Uuid,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) fields: Json<Vec<Field>>,
}

#[derive(FromRow)]
pub(super) struct CampaignRow {
    campaign_id: Uuid,
    seller_id: Uuid,
    category_id: Uuid,
    version: i64,
    name: String,
    description: String,
    status: String,
    logic: String,
    price: Decimal,
    currency: String,
    allow_state_selection: bool,
    duplicate_window_days: i32,
    duplicate_fields: Vec<String>,
    duplicate_match: String,
    lead_ttl_hours: i32,
    returns_days: i32,
    returns_max_share: i32,
    returns_reasons: Vec<String>,
    returns_auto_approve: bool,
    returns_out_of_caps: bool,
    refusals_credited: bool,
    refusals_sold_on: bool,
    refusals_max_share: i32,
}

#[derive(FromRow)]
pub(super) struct SubscriptionRow {
    subscription_id: Uuid,
    campaign_id: Uuid,
    buyer_id: Uuid,
    seller_id: Uuid,
    version: i64,
    status: String,
    daily_cap: Option<i32>,
    states: Vec<String>,
    waterfall_priority: Option<i32>,
    seller_waterfall_priority: Option<i32>,
}

/// Locks a tenant's category; a category that does not exist locks nothing.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_category(
    tx: &mut TenantTx,
    seller: SellerId,
    id: CategoryId,
) -> Result<Option<Category>, sqlx::Error> {
    let row: Option<CategoryRow> = sqlx::query_as(
        "SELECT category_id, seller_id, version, name, status, fields FROM distribution.categories \
         WHERE category_id = $1 AND seller_id = $2 FOR UPDATE",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(category).transpose()
}

/// A tenant's category, kept from changing until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn hold_category(
    tx: &mut TenantTx,
    seller: SellerId,
    id: CategoryId,
) -> Result<Option<Category>, sqlx::Error> {
    let row: Option<CategoryRow> = sqlx::query_as(
        "SELECT category_id, seller_id, version, name, status, fields FROM distribution.categories \
         WHERE category_id = $1 AND seller_id = $2 FOR SHARE",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(category).transpose()
}

/// Writes a category, new or locked. Returns whether it did: not when another transaction made a
/// category with this id meanwhile, or another tenant has it.
///
/// # Errors
/// Those of PostgreSQL; a unique violation when the name is taken.
pub async fn put_category(tx: &mut TenantTx, category: &Category) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.categories AS c (category_id, seller_id, version, name, status, fields) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (category_id) DO UPDATE SET version = excluded.version, name = excluded.name, \
           status = excluded.status, fields = excluded.fields \
         WHERE c.version < excluded.version AND c.seller_id = excluded.seller_id",
    )
    .bind(category.id.uuid())
    .bind(category.seller.uuid())
    .bind(stored(category.version))
    .bind(&category.name)
    .bind(status_text(category.status))
    .bind(Json(&category.fields))
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
}

/// A campaign as its category knows it.
#[derive(Debug, FromRow)]
pub struct DependentRow {
    /// The campaign.
    pub campaign_id: Uuid,
    /// For people.
    pub name: String,
    status: String,
    duplicate_window_days: i32,
    duplicate_fields: Vec<String>,
}

impl DependentRow {
    /// Its status.
    ///
    /// # Errors
    /// When it is none.
    pub fn status(&self) -> Result<Status, sqlx::Error> {
        columns::status(&self.status)
    }

    /// The fields by which it knows a lead again.
    pub fn fields(&self) -> &[String] {
        if self.duplicate_window_days > 0 { &self.duplicate_fields } else { &[] }
    }
}

/// Campaigns of a category, the oldest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn campaigns_of_category(tx: &mut TenantTx, id: CategoryId) -> Result<Vec<DependentRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT campaign_id, name, status, duplicate_window_days, duplicate_fields FROM distribution.campaigns \
         WHERE category_id = $1 ORDER BY created_at, campaign_id",
    )
    .bind(id.uuid())
    .fetch_all(&mut **tx)
    .await
}

/// A tenant's campaign.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn get_campaign(
    tx: &mut TenantTx,
    seller: SellerId,
    id: CampaignId,
) -> Result<Option<Campaign>, sqlx::Error> {
    let row: Option<CampaignRow> = sqlx::query_as(concat!(
        "SELECT ",
        whole_campaign!(),
        " FROM distribution.campaigns c WHERE campaign_id = $1 AND seller_id = $2"
    ))
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(campaign).transpose()
}

/// Writes a campaign. Its routing row must be locked.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn put_campaign(tx: &mut TenantTx, campaign: &Campaign, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.campaigns (campaign_id, seller_id, category_id, version, name, description, status, \
           logic, price, currency, allow_state_selection, duplicate_window_days, duplicate_fields, duplicate_match, \
           lead_ttl_hours, created_at, returns_days, returns_max_share, returns_reasons, returns_auto_approve, \
           returns_out_of_caps, refusals_credited, refusals_sold_on, refusals_max_share) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) \
         ON CONFLICT (campaign_id) DO UPDATE SET category_id = excluded.category_id, version = excluded.version, \
           name = excluded.name, description = excluded.description, status = excluded.status, \
           logic = excluded.logic, price = excluded.price, currency = excluded.currency, \
           allow_state_selection = excluded.allow_state_selection, \
           duplicate_window_days = excluded.duplicate_window_days, duplicate_fields = excluded.duplicate_fields, \
           duplicate_match = excluded.duplicate_match, lead_ttl_hours = excluded.lead_ttl_hours, \
           returns_days = excluded.returns_days, returns_max_share = excluded.returns_max_share, \
           returns_reasons = excluded.returns_reasons, returns_auto_approve = excluded.returns_auto_approve, \
           returns_out_of_caps = excluded.returns_out_of_caps, refusals_credited = excluded.refusals_credited, \
           refusals_sold_on = excluded.refusals_sold_on, refusals_max_share = excluded.refusals_max_share",
    )
    .bind(campaign.id.uuid())
    .bind(campaign.seller.uuid())
    .bind(campaign.category.uuid())
    .bind(stored(campaign.version))
    .bind(&campaign.name)
    .bind(&campaign.description)
    .bind(status_text(campaign.status))
    .bind(logic_text(campaign.logic))
    .bind(campaign.price.amount())
    .bind(campaign.price.currency().code())
    .bind(campaign.allow_state_selection)
    .bind(signed(campaign.duplicates.window_days))
    .bind(&campaign.duplicates.fields)
    .bind(match_text(campaign.duplicates.matching))
    .bind(signed(campaign.lead_ttl_hours))
    .bind(now)
    .bind(signed(campaign.returns.days))
    .bind(signed(campaign.returns.max_share_percent))
    .bind(&campaign.returns.reasons)
    .bind(campaign.returns.auto_approve)
    .bind(campaign.returns.counts_out_of_caps)
    .bind(campaign.returns.refusals.credited)
    .bind(campaign.returns.refusals.sold_on)
    .bind(signed(campaign.returns.refusals.max_share_percent))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// A tenant's subscription, in whatever campaign it is.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn get_subscription(
    tx: &mut TenantTx,
    seller: SellerId,
    id: SubscriptionId,
) -> Result<Option<Subscription>, sqlx::Error> {
    let row: Option<SubscriptionRow> = sqlx::query_as(concat!(
        "SELECT ",
        whole_subscription!(),
        " FROM distribution.subscriptions s WHERE subscription_id = $1 AND seller_id = $2"
    ))
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(subscription).transpose()
}

/// Subscriptions of a campaign, the oldest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn subscriptions_of(tx: &mut TenantTx, campaign: CampaignId) -> Result<Vec<Subscription>, sqlx::Error> {
    let rows: Vec<SubscriptionRow> = sqlx::query_as(concat!(
        "SELECT ",
        whole_subscription!(),
        " FROM distribution.subscriptions s WHERE campaign_id = $1 ORDER BY created_at, subscription_id"
    ))
    .bind(campaign.uuid())
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(subscription).collect()
}

/// Writes a subscription. Its campaign must be locked; campaign and buyer never change. Returns
/// whether it did: not when the id was taken in another campaign meanwhile, or another tenant has it.
///
/// # Errors
/// Those of PostgreSQL; a unique violation when the buyer has another one in the campaign.
pub async fn put_subscription(
    tx: &mut TenantTx,
    subscription: &Subscription,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.subscriptions AS s (subscription_id, campaign_id, buyer_id, seller_id, version, status, \
           daily_cap, states, waterfall_priority, seller_waterfall_priority, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (subscription_id) DO UPDATE SET version = excluded.version, status = excluded.status, \
           daily_cap = excluded.daily_cap, states = excluded.states, \
           waterfall_priority = excluded.waterfall_priority, \
           seller_waterfall_priority = excluded.seller_waterfall_priority \
         WHERE s.version < excluded.version AND s.campaign_id = excluded.campaign_id \
           AND s.buyer_id = excluded.buyer_id",
    )
    .bind(subscription.id.uuid())
    .bind(subscription.campaign.uuid())
    .bind(subscription.buyer.uuid())
    .bind(subscription.seller.uuid())
    .bind(stored(subscription.version))
    .bind(status_text(subscription.status))
    .bind(subscription.daily_cap.map(signed))
    .bind(subscription.states.codes().collect::<Vec<&str>>())
    .bind(subscription.waterfall_priority.map(signed))
    .bind(subscription.seller_waterfall_priority.map(signed))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() > 0)
}

/// What each subscription of a campaign sold on the last day it sold, with that day.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sold_days(
    tx: &mut TenantTx,
    campaign: CampaignId,
) -> Result<Vec<(SubscriptionId, NaiveDate, u32)>, sqlx::Error> {
    let rows: Vec<(Uuid, NaiveDate, i32)> = sqlx::query_as(
        "SELECT subscription_id, cap_day, sold_today FROM distribution.subscription_rotation \
         WHERE campaign_id = $1 AND cap_day IS NOT NULL",
    )
    .bind(campaign.uuid())
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(|(id, day, sold)| Ok((id.into(), day, unsigned(sold, "sold_today")?))).collect()
}

/// The name of a tenant's time zone.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn time_zone_of(tx: &mut TenantTx, seller: SellerId) -> Result<Option<chrono_tz::Tz>, sqlx::Error> {
    let text: Option<String> = sqlx::query_scalar("SELECT time_zone FROM distribution.sellers WHERE seller_id = $1")
        .bind(seller.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    text.map(|text| columns::zone(&text)).transpose()
}

pub(super) fn category(row: CategoryRow) -> Result<Category, sqlx::Error> {
    Ok(Category {
        id: row.category_id.into(),
        seller: row.seller_id.into(),
        version: read(row.version)?,
        name: row.name,
        status: columns::status(&row.status)?,
        fields: row.fields.0,
    })
}

pub(super) fn campaign(row: CampaignRow) -> Result<Campaign, sqlx::Error> {
    Ok(Campaign {
        id: row.campaign_id.into(),
        seller: row.seller_id.into(),
        category: row.category_id.into(),
        version: read(row.version)?,
        name: row.name,
        description: row.description,
        status: columns::status(&row.status)?,
        logic: columns::logic(&row.logic)?,
        price: columns::money(row.price, &row.currency)?,
        allow_state_selection: row.allow_state_selection,
        duplicates: columns::duplicate_rule(row.duplicate_window_days, row.duplicate_fields, &row.duplicate_match)?,
        lead_ttl_hours: unsigned(row.lead_ttl_hours, "lead_ttl_hours")?,
        returns: ReturnPolicy {
            days: unsigned(row.returns_days, "returns_days")?,
            max_share_percent: unsigned(row.returns_max_share, "returns_max_share")?,
            reasons: row.returns_reasons,
            auto_approve: row.returns_auto_approve,
            counts_out_of_caps: row.returns_out_of_caps,
            refusals: RefusalPolicy {
                credited: row.refusals_credited,
                sold_on: row.refusals_sold_on,
                max_share_percent: unsigned(row.refusals_max_share, "refusals_max_share")?,
            },
        },
    })
}

pub(super) fn subscription(row: SubscriptionRow) -> Result<Subscription, sqlx::Error> {
    let number = |value: Option<i32>, column| value.map(|value| unsigned(value, column)).transpose();
    Ok(Subscription {
        id: row.subscription_id.into(),
        campaign: row.campaign_id.into(),
        buyer: row.buyer_id.into(),
        seller: row.seller_id.into(),
        version: read(row.version)?,
        status: columns::status(&row.status)?,
        daily_cap: number(row.daily_cap, "daily_cap")?,
        states: row.states.iter().filter_map(|code| State::parse(code)).collect(),
        waterfall_priority: number(row.waterfall_priority, "waterfall_priority")?,
        seller_waterfall_priority: number(row.seller_waterfall_priority, "seller_waterfall_priority")?,
    })
}

fn read(version: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(version).map_err(|_| columns::impossible("version"))
}

fn stored(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
