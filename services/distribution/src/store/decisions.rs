//! The configuration as decisions need it: campaigns with everything around them, in two queries.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use leadflow_contracts::common::FieldType;
use leadflow_distribution_domain::{
    Campaign as Rules, Candidate, Status,
    duplicates::{DuplicateRule, FieldKind},
};
use leadflow_kernel::{CampaignId, CategoryId, SellerId};
use rust_decimal::Decimal;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::{
    columns::{self, unsigned},
    records::Field,
};

/// A campaign with all that its decisions depend on, rotation apart.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The campaign.
    pub id: CampaignId,
    /// Its tenant.
    pub seller: SellerId,
    /// Of the tenant.
    pub seller_status: Status,
    /// Where its days begin.
    pub zone: Tz,
    /// What it sells.
    pub category: CategoryId,
    /// For people.
    pub category_name: String,
    /// Of the category.
    pub category_status: Status,
    /// How the category's fields are compared.
    pub field_kinds: HashMap<String, FieldKind>,
    /// For people.
    pub name: String,
    /// Of the campaign.
    pub status: Status,
    /// What the routing needs.
    pub rules: Rules,
    /// When a lead repeats another.
    pub duplicates: DuplicateRule,
    /// How long a lead stays for sale.
    pub time_to_live: TimeDelta,
    /// Subscriptions that are not archived, the oldest first.
    pub candidates: Vec<Candidate>,
}

#[derive(FromRow)]
struct CampaignRow {
    campaign_id: Uuid,
    seller_id: Uuid,
    seller_status: String,
    time_zone: String,
    category_id: Uuid,
    category_name: String,
    category_status: String,
    fields: Json<Vec<Field>>,
    name: String,
    status: String,
    logic: String,
    price: Decimal,
    currency: String,
    allow_state_selection: bool,
    duplicate_window_days: i32,
    duplicate_fields: Vec<String>,
    duplicate_match: String,
    lead_ttl_hours: i32,
}

#[derive(FromRow)]
struct CandidateRow {
    campaign_id: Uuid,
    subscription_id: Uuid,
    buyer_id: Uuid,
    status: String,
    buyer_status: String,
    priority: i16,
    daily_cap: Option<i32>,
    states: Vec<String>,
    waterfall_priority: Option<i32>,
    seller_waterfall_priority: Option<i32>,
    created_at: DateTime<Utc>,
}

/// Reads these campaigns. Their routing rows must be locked, so that nothing read here changes.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn load(connection: &mut PgConnection, campaigns: &[CampaignId]) -> Result<Vec<Configuration>, sqlx::Error> {
    let ids: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
    let rows: Vec<CampaignRow> = sqlx::query_as(
        "SELECT c.campaign_id, c.seller_id, s.status AS seller_status, s.time_zone, c.category_id, \
           k.name AS category_name, k.status AS category_status, k.fields, c.name, c.status, c.logic, c.price, \
           c.currency, c.allow_state_selection, c.duplicate_window_days, c.duplicate_fields, c.duplicate_match, \
           c.lead_ttl_hours \
         FROM distribution.campaigns c JOIN distribution.sellers s USING (seller_id) \
           JOIN distribution.categories k USING (category_id) WHERE c.campaign_id = ANY($1)",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let mut loaded: HashMap<Uuid, Configuration> = HashMap::with_capacity(rows.len());
    for row in rows {
        loaded.insert(row.campaign_id, configuration(row)?);
    }
    let rows: Vec<CandidateRow> = sqlx::query_as(
        "SELECT u.campaign_id, u.subscription_id, u.buyer_id, u.status, b.status AS buyer_status, b.priority, \
           u.daily_cap, u.states, u.waterfall_priority, u.seller_waterfall_priority, u.created_at \
         FROM distribution.subscriptions u JOIN distribution.buyers b USING (buyer_id) \
         WHERE u.campaign_id = ANY($1) AND u.status <> 'archived' ORDER BY u.created_at, u.subscription_id",
    )
    .bind(&ids)
    .fetch_all(connection)
    .await?;
    for row in rows {
        if let Some(configuration) = loaded.get_mut(&row.campaign_id) {
            configuration.candidates.push(candidate(row)?);
        }
    }
    Ok(loaded.into_values().collect())
}

fn configuration(row: CampaignRow) -> Result<Configuration, sqlx::Error> {
    Ok(Configuration {
        id: row.campaign_id.into(),
        seller: row.seller_id.into(),
        seller_status: columns::status(&row.seller_status)?,
        zone: columns::zone(&row.time_zone)?,
        category: row.category_id.into(),
        category_name: row.category_name,
        category_status: columns::status(&row.category_status)?,
        field_kinds: row.fields.0.into_iter().map(|field| (field.name, kind(field.kind))).collect(),
        name: row.name,
        status: columns::status(&row.status)?,
        rules: Rules {
            logic: columns::logic(&row.logic)?,
            price: columns::money(row.price, &row.currency)?,
            allow_state_selection: row.allow_state_selection,
        },
        duplicates: columns::duplicate_rule(row.duplicate_window_days, row.duplicate_fields, &row.duplicate_match)?,
        time_to_live: TimeDelta::hours(i64::from(row.lead_ttl_hours)),
        candidates: Vec::new(),
    })
}

fn kind(field_type: i32) -> FieldKind {
    if field_type == i32::from(FieldType::Phone) { FieldKind::Phone } else { FieldKind::Text }
}

fn candidate(row: CandidateRow) -> Result<Candidate, sqlx::Error> {
    let number = |value: Option<i32>, column| value.map(|value| unsigned(value, column)).transpose();
    Ok(Candidate {
        subscription: row.subscription_id.into(),
        buyer: row.buyer_id.into(),
        status: columns::status(&row.status)?,
        buyer_status: columns::status(&row.buyer_status)?,
        states: columns::states(&row.states),
        daily_cap: number(row.daily_cap, "daily_cap")?,
        priority: u8::try_from(row.priority).map_err(|_| columns::impossible("priority"))?,
        buyer_waterfall: number(row.waterfall_priority, "waterfall_priority")?,
        seller_waterfall: number(row.seller_waterfall_priority, "seller_waterfall_priority")?,
        since_micros: row.created_at.timestamp_micros(),
    })
}
