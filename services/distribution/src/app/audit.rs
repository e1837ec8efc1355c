//! What is written down of a change of the catalogue.

use leadflow_contracts::common::FieldType;
use leadflow_distribution_domain::{Status, duplicates::Match};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, SellerId};
use leadflow_platform::audit::{Change, Trail};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{App, AppError};
use crate::store::{
    columns::{logic_text, return_state, return_state_text, status_text},
    records::{Campaign, Category, Field, Subscription},
    returns::ReturnRow,
};

const TRAIL: Trail = Trail::new(crate::SCHEMA);

impl App {
    /// Writes a change down in the open transaction.
    pub(super) async fn note(
        &self,
        connection: &mut PgConnection,
        seller: SellerId,
        change: Change,
    ) -> Result<(), AppError> {
        Ok(TRAIL.write(connection, Some(seller), self.clock.now(), change).await?)
    }
}

/// Which of the three it is, for somebody who looks for it: created, updated or archived.
pub(super) fn action(
    known: Option<Status>,
    now: Status,
    [created, updated, archived]: [&'static str; 3],
) -> &'static str {
    match known {
        None => created,
        Some(before) if before != now && now == Status::Archived => archived,
        Some(_) => updated,
    }
}

pub(super) fn category(category: &Category) -> Value {
    json!({
        "name": category.name,
        "status": upper(status_text(category.status)),
        "fields": category.fields.iter().map(field).collect::<Vec<_>>(),
        "version": category.version,
    })
}

fn field(field: &Field) -> Value {
    let kind = FieldType::try_from(field.kind).map_or("", |kind| kind.as_str_name());
    json!({
        "name": field.name,
        "type": kind.strip_prefix("FIELD_TYPE_").unwrap_or(kind).to_ascii_lowercase(),
        "required": field.required,
        "description": field.description,
        "options": field.options,
    })
}

pub(super) fn campaign(campaign: &Campaign) -> Value {
    json!({
        "category": campaign.category.to_string(),
        "name": campaign.name,
        "description": campaign.description,
        "status": upper(status_text(campaign.status)),
        "distributionLogic": upper(logic_text(campaign.logic)),
        "pricePerLead": format!("{:.2}", campaign.price.amount()),
        "allowStateSelection": campaign.allow_state_selection,
        "duplicateWindowDays": campaign.duplicates.window_days,
        "duplicateFields": campaign.duplicates.fields,
        "duplicateMatch": match campaign.duplicates.matching {
            Match::Any => "ANY",
            Match::All => "ALL",
        },
        "leadExpiryHours": campaign.lead_ttl_hours,
        "returns": {
            "days": campaign.returns.days,
            "maxSharePercentPerMonth": campaign.returns.max_share_percent,
            "reasons": campaign.returns.reasons,
            "autoApprove": campaign.returns.auto_approve,
            "countsOutOfCaps": campaign.returns.counts_out_of_caps,
            "refusals": {
                "credited": campaign.returns.refusals.credited,
                "soldOn": campaign.returns.refusals.sold_on,
                "maxSharePercentPerMonth": campaign.returns.refusals.max_share_percent,
            },
        },
        "version": campaign.version,
    })
}

pub(super) fn subscription(subscription: &Subscription) -> Value {
    json!({
        "campaign": subscription.campaign.to_string(),
        "buyer": subscription.buyer.to_string(),
        "status": upper(status_text(subscription.status)),
        "dailyCap": subscription.daily_cap,
        "states": subscription.states.codes().collect::<Vec<_>>(),
        "waterfallPriority": subscription.waterfall_priority,
        "sellerWaterfallPriority": subscription.seller_waterfall_priority,
        "version": subscription.version,
    })
}

/// A wish to undo a sale. What its buyer wrote about the person stays with the return.
pub(super) fn asked_back(row: &ReturnRow) -> Value {
    json!({
        "assignment": AssignmentId::from_uuid(row.assignment_id).to_string(),
        "lead": LeadId::from_uuid(row.lead_id).to_string(),
        "buyer": BuyerId::from_uuid(row.buyer_id).to_string(),
        "campaign": CampaignId::from_uuid(row.campaign_id).to_string(),
        "price": format!("{:.2}", row.price),
        "reason": row.reason,
    })
}

pub(super) fn decided(row: &ReturnRow) -> Result<Value, AppError> {
    let mut value = json!({ "status": upper(return_state_text(return_state(&row.state)?)) });
    if row.decided_at.is_some() {
        value["automatic"] = row.automatic.into();
        value["outOfCaps"] = row.out_of_caps.into();
    }
    Ok(value)
}

fn upper(text: &str) -> String {
    text.to_ascii_uppercase()
}
