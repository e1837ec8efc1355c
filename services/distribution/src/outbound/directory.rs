//! Records as `DIRECTORY` events.

use leadflow_contracts::{common, events, money_to_proto};
use leadflow_distribution_domain::Status;

use crate::{
    app::logic_to_proto,
    store::records::{Campaign, Category, Field, Subscription},
};

/// The wire form of a status.
pub const fn status_to_proto(status: Status) -> common::Status {
    match status {
        Status::Active => common::Status::Active,
        Status::Paused => common::Status::Paused,
        Status::Archived => common::Status::Archived,
    }
}

/// The wire form of a category's fields.
pub fn fields_to_proto(fields: &[Field]) -> Vec<common::FieldDef> {
    fields
        .iter()
        .map(|field| common::FieldDef {
            name: field.name.clone(),
            r#type: field.kind,
            required: field.required,
            description: field.description.clone(),
            options: field.options.clone(),
        })
        .collect()
}

/// `category.changed`.
pub fn category_changed(category: &Category) -> events::CategoryChanged {
    events::CategoryChanged {
        category_id: category.id.to_string(),
        seller_id: category.seller.to_string(),
        version: category.version,
        name: category.name.clone(),
        status: status_to_proto(category.status).into(),
        fields: fields_to_proto(&category.fields),
    }
}

/// `campaign.changed`.
pub fn campaign_changed(campaign: &Campaign) -> events::CampaignChanged {
    events::CampaignChanged {
        campaign_id: campaign.id.to_string(),
        seller_id: campaign.seller.to_string(),
        version: campaign.version,
        category_id: campaign.category.to_string(),
        name: campaign.name.clone(),
        status: status_to_proto(campaign.status).into(),
        logic: logic_to_proto(campaign.logic).into(),
        price: Some(money_to_proto(campaign.price)),
    }
}

/// `subscription.changed`.
pub fn subscription_changed(subscription: &Subscription) -> events::SubscriptionChanged {
    events::SubscriptionChanged {
        subscription_id: subscription.id.to_string(),
        campaign_id: subscription.campaign.to_string(),
        buyer_id: subscription.buyer.to_string(),
        seller_id: subscription.seller.to_string(),
        version: subscription.version,
        status: status_to_proto(subscription.status).into(),
    }
}
