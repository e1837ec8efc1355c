//! What is set up, as the service's own types.

use leadflow_distribution_domain::{Logic, StateSet, Status, duplicates::DuplicateRule, returns::ReturnPolicy};
use leadflow_kernel::{BuyerId, CampaignId, CategoryId, Money, SellerId, SubscriptionId};
use serde::{Deserialize, Serialize};

/// A field of a category, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Key in the lead's data.
    pub name: String,
    /// Number of `leadflow.common.v1.FieldType`.
    #[serde(rename = "type")]
    pub kind: i32,
    /// Whether a lead must have it.
    pub required: bool,
    /// For people.
    pub description: String,
    /// Of a select field.
    pub options: Vec<String>,
}

/// A kind of lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// Its tenant.
    pub seller: SellerId,
    /// Moves with every change; 0 before it is stored.
    pub version: u64,
    /// Unique in the tenant.
    pub name: String,
    /// Whether leads of it are taken.
    pub status: Status,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Its tenant.
    pub seller: SellerId,
    /// What it sells.
    pub category: CategoryId,
    /// Moves with every change; 0 before it is stored.
    pub version: u64,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it takes leads.
    pub status: Status,
    /// How it chooses.
    pub logic: Logic,
    /// What each buyer pays.
    pub price: Money,
    /// Whether subscriptions may be restricted to states.
    pub allow_state_selection: bool,
    /// When a lead repeats another.
    pub duplicates: DuplicateRule,
    /// How long a lead stays for sale.
    pub lead_ttl_hours: u32,
    /// Which sales may be undone.
    pub returns: ReturnPolicy,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Who buys.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// Moves with every change; 0 before it is stored.
    pub version: u64,
    /// Whether it buys.
    pub status: Status,
    /// Leads a day.
    pub daily_cap: Option<u32>,
    /// Empty: every state.
    pub states: StateSet,
    /// The place the buyer asks for.
    pub waterfall_priority: Option<u32>,
    /// The place the seller fixed.
    pub seller_waterfall_priority: Option<u32>,
}
