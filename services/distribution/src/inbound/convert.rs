//! Between the contract and the service's own types.

use leadflow_contracts::{
    common::{self, FieldType},
    distribution as wire, id, money, money_to_proto, time_to_ms,
};
use leadflow_distribution_domain::{
    Status,
    configure::{self, Invalid},
    duplicates::{DuplicateRule, Match},
    returns::{RefusalPolicy, ReturnPolicy},
};
use leadflow_kernel::{CampaignId, CategoryId, Id, Kind, LeadId, SellerId, SupplierId};
use leadflow_messaging::consumer::HandleError;
use leadflow_platform::grpc::status;
use tonic::Code;

use super::answers;
use crate::{
    app::{AppError, CampaignView, LeadView, logic_from_proto, logic_to_proto},
    outbound::{
        billing::HoldsError,
        directory::{fields_to_proto, status_to_proto},
    },
    store::records::{Campaign, Category, Field, Subscription},
};

/// Reads a status; `None` when it is not given.
pub const fn status_from_proto(status: common::Status) -> Option<Status> {
    match status {
        common::Status::Unspecified => None,
        common::Status::Active => Some(Status::Active),
        common::Status::Paused => Some(Status::Paused),
        common::Status::Archived => Some(Status::Archived),
    }
}

/// What the consumer loop is told of a failure.
pub fn failed(error: AppError) -> HandleError {
    match error {
        AppError::Database(error) => error.into(),
        AppError::Holds(HoldsError::Unavailable(_)) => HandleError::transient(error),
        other => HandleError::permanent(other),
    }
}

/// What a caller is told of a failure.
pub fn refused(error: AppError) -> tonic::Status {
    match error {
        AppError::NotFound(what) => status(Code::NotFound, &format!("{what}_not_found"), format!("no such {what}")),
        AppError::Invalid(invalid) => self::invalid(&invalid),
        AppError::Taken { code, sentence } => status(Code::AlreadyExists, code, sentence),
        AppError::Refused { code, sentence } => status(Code::FailedPrecondition, code, sentence),
        AppError::ChangedMeanwhile => status(Code::Aborted, "changed_meanwhile", error),
        AppError::Database(_) | AppError::Holds(_) => {
            tracing::warn!(error = %anyhow::Error::from(error), "a call failed");
            status(Code::Unavailable, "unavailable", "the database cannot be used at the moment: try again")
        }
        AppError::Stream(_) => {
            tracing::warn!(error = %anyhow::Error::from(error), "a call failed");
            status(Code::Unavailable, "unavailable", "NATS cannot be used at the moment: try again")
        }
        AppError::Internal(_) => {
            tracing::error!(error = %anyhow::Error::from(error), "a call failed");
            status(Code::Internal, "internal", "something went wrong inside")
        }
    }
}

/// What a caller is told of a part that breaks a rule.
pub fn invalid(invalid: &Invalid) -> tonic::Status {
    status(Code::InvalidArgument, "invalid_field", invalid)
}

/// Reads an id.
pub fn read_id<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, tonic::Status> {
    id(text, field).map_err(|error| status(Code::InvalidArgument, "invalid_field", error))
}

fn read_status(wire: common::Status) -> Result<Status, tonic::Status> {
    status_from_proto(wire).ok_or_else(|| status(Code::InvalidArgument, "invalid_field", "status: missing"))
}

/// Reads a category to be put.
pub fn category(seller: SellerId, request: wire::PutCategoryRequest) -> Result<Category, tonic::Status> {
    let rules: Vec<configure::Field<'_>> = request
        .fields
        .iter()
        .map(|field| configure::Field {
            name: &field.name,
            description: &field.description,
            is_select: field.r#type() == FieldType::Select,
            options: &field.options,
        })
        .collect();
    configure::fields(&rules).map_err(|error| invalid(&error))?;
    if let Some(at) = request.fields.iter().position(|field| field.r#type() == FieldType::Unspecified) {
        return Err(status(Code::InvalidArgument, "invalid_field", format!("fields[{at}].type is missing or unknown")));
    }
    Ok(Category {
        id: read_id::<_>(&request.category_id, "category_id")?,
        seller,
        version: 0,
        status: read_status(request.status())?,
        name: request.name,
        fields: request
            .fields
            .into_iter()
            .map(|field| Field {
                name: field.name,
                kind: field.r#type,
                required: field.required,
                description: field.description,
                options: field.options,
            })
            .collect(),
    })
}

/// The answer about a category.
pub fn category_to_proto(category: &Category) -> wire::Category {
    wire::Category {
        category_id: category.id.to_string(),
        seller_id: category.seller.to_string(),
        name: category.name.clone(),
        status: status_to_proto(category.status).into(),
        fields: fields_to_proto(&category.fields),
        version: category.version,
    }
}

/// Reads a campaign to be put, but for its returns.
pub fn campaign(seller: SellerId, request: wire::PutCampaignRequest) -> Result<Campaign, tonic::Status> {
    let missing = || status(Code::InvalidArgument, "invalid_field", "logic: missing");
    Ok(Campaign {
        id: read_id(&request.campaign_id, "campaign_id")?,
        seller,
        category: read_id(&request.category_id, "category_id")?,
        version: 0,
        status: read_status(request.status())?,
        logic: logic_from_proto(request.logic()).ok_or_else(missing)?,
        price: money(request.price.as_ref(), "price")
            .map_err(|error| status(Code::InvalidArgument, "invalid_field", error))?,
        allow_state_selection: request.allow_state_selection,
        duplicates: duplicate_rule(request.duplicates.as_ref()),
        lead_ttl_hours: request.lead_ttl_hours,
        returns: ReturnPolicy::default(),
        name: request.name,
        description: request.description,
    })
}

/// Reads which sales may be undone.
pub fn return_policy(policy: wire::ReturnPolicy) -> ReturnPolicy {
    let refusals = policy.refusals.unwrap_or_default();
    ReturnPolicy {
        days: policy.days,
        max_share_percent: policy.max_share_percent_per_month,
        reasons: policy.reasons,
        auto_approve: policy.auto_approve,
        counts_out_of_caps: policy.counts_out_of_caps,
        refusals: RefusalPolicy {
            credited: refusals.credited,
            sold_on: refusals.sold_on,
            max_share_percent: refusals.max_share_percent_per_month,
        },
    }
}

fn duplicate_rule(rule: Option<&common::DuplicateRule>) -> DuplicateRule {
    let matching = match rule.map(common::DuplicateRule::r#match) {
        Some(common::DuplicateMatch::All) => Match::All,
        _ => Match::Any,
    };
    DuplicateRule {
        window_days: rule.map_or(0, |rule| rule.window_days),
        fields: rule.map_or_else(Vec::new, |rule| rule.fields.clone()),
        matching,
    }
}

/// Absent where there is none, as it is put.
fn refusals_to_proto(policy: RefusalPolicy) -> Option<wire::RefusalPolicy> {
    (policy != RefusalPolicy::default()).then_some(wire::RefusalPolicy {
        credited: policy.credited,
        sold_on: policy.sold_on,
        max_share_percent_per_month: policy.max_share_percent,
    })
}

/// The answer about a campaign.
pub fn campaign_to_proto(campaign: &Campaign, subscriptions: Vec<wire::Subscription>) -> wire::Campaign {
    let matching = match campaign.duplicates.matching {
        Match::Any => common::DuplicateMatch::Any,
        Match::All => common::DuplicateMatch::All,
    };
    wire::Campaign {
        campaign_id: campaign.id.to_string(),
        seller_id: campaign.seller.to_string(),
        category_id: campaign.category.to_string(),
        name: campaign.name.clone(),
        description: campaign.description.clone(),
        status: status_to_proto(campaign.status).into(),
        logic: logic_to_proto(campaign.logic).into(),
        price: Some(money_to_proto(campaign.price)),
        allow_state_selection: campaign.allow_state_selection,
        duplicates: Some(common::DuplicateRule {
            window_days: campaign.duplicates.window_days,
            fields: campaign.duplicates.fields.clone(),
            r#match: matching.into(),
        }),
        lead_ttl_hours: campaign.lead_ttl_hours,
        version: campaign.version,
        subscriptions,
        returns: Some(wire::ReturnPolicy {
            days: campaign.returns.days,
            max_share_percent_per_month: campaign.returns.max_share_percent,
            reasons: campaign.returns.reasons.clone(),
            auto_approve: campaign.returns.auto_approve,
            counts_out_of_caps: campaign.returns.counts_out_of_caps,
            refusals: refusals_to_proto(campaign.returns.refusals),
        }),
    }
}

/// The answer about a campaign and all of its subscriptions.
pub fn campaign_view_to_proto(view: &CampaignView) -> wire::Campaign {
    let subscriptions = view.subscriptions.iter().map(|(one, sold)| subscription_to_proto(one, *sold)).collect();
    campaign_to_proto(&view.campaign, subscriptions)
}

/// Reads a subscription to be put.
pub fn subscription(seller: SellerId, request: &wire::PutSubscriptionRequest) -> Result<Subscription, tonic::Status> {
    let place = |field, value| configure::waterfall_priority(field, value).map_err(|error| invalid(&error));
    Ok(Subscription {
        id: read_id(&request.subscription_id, "subscription_id")?,
        campaign: read_id(&request.campaign_id, "campaign_id")?,
        buyer: read_id(&request.buyer_id, "buyer_id")?,
        seller,
        version: 0,
        status: read_status(request.status())?,
        daily_cap: request.daily_cap,
        // Whether the campaign allows any is known to the use case.
        states: configure::states(&request.states, true).map_err(|error| invalid(&error))?,
        waterfall_priority: place("waterfall_priority", request.waterfall_priority)?,
        seller_waterfall_priority: place("seller_waterfall_priority", request.seller_waterfall_priority)?,
    })
}

/// The answer about a subscription.
pub fn subscription_to_proto(subscription: &Subscription, sold_today: u32) -> wire::Subscription {
    wire::Subscription {
        subscription_id: subscription.id.to_string(),
        campaign_id: subscription.campaign.to_string(),
        buyer_id: subscription.buyer.to_string(),
        seller_id: subscription.seller.to_string(),
        status: status_to_proto(subscription.status).into(),
        daily_cap: subscription.daily_cap,
        states: subscription.states.codes().map(str::to_owned).collect(),
        waterfall_priority: subscription.waterfall_priority.unwrap_or(0),
        seller_waterfall_priority: subscription.seller_waterfall_priority.unwrap_or(0),
        sold_today,
        version: subscription.version,
    }
}

/// The answer about a lead.
pub fn lead_to_proto(view: LeadView) -> Result<wire::Lead, sqlx::Error> {
    let LeadView { decision, lead, sales, trace, explanation } = view;
    let unknown_fields = answers::unknown_fields(lead.unknown_fields.as_deref())?;
    let assignments = sales.into_iter().map(answers::sale).collect::<Result<_, _>>()?;
    Ok(wire::Lead {
        decision: Some(leadflow_contracts::common::Decision {
            lead_id: LeadId::from_uuid(lead.lead_id).to_string(),
            ..decision
        }),
        seller_id: SellerId::from_uuid(lead.seller_id).to_string(),
        supplier_id: SupplierId::from_uuid(lead.supplier_id).to_string(),
        campaign_id: CampaignId::from_uuid(lead.campaign_id).to_string(),
        category_id: CategoryId::from_uuid(lead.category_id).to_string(),
        state: lead.state,
        quality: lead.quality,
        data_json: lead.data.into(),
        raw_json: lead.raw.unwrap_or_default().into(),
        unknown_fields,
        masked_at_ms: lead.masked_at.map_or(0, time_to_ms),
        received_at_ms: time_to_ms(lead.received_at),
        decided_at_ms: time_to_ms(lead.decided_at),
        expires_at_ms: lead.expires_at.map_or(0, time_to_ms),
        trace: Some(trace),
        explanation,
        assignments,
    })
}
