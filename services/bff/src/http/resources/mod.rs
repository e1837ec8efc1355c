//! One file a resource: its lines of the table, its handlers, and how it looks in JSON.

pub(super) mod admin;
pub(super) mod audit;
pub(super) mod auth;
pub(super) mod buyer_webhooks;
pub(super) mod buyers;
pub(super) mod campaigns;
pub(super) mod cards;
pub(super) mod categories;
pub(super) mod deliveries;
pub(super) mod events;
pub(super) mod google;
pub(super) mod ingest;
mod invitation;
pub(super) mod invites;
pub(super) mod leads;
pub(super) mod ledger;
pub(super) mod message_events;
pub(super) mod messages;
pub(super) mod password;
pub(super) mod payments;
pub(super) mod preferences;
pub(super) mod privacy;
pub(super) mod provider_events;
mod quiet_hours;
pub(super) mod refunds;
pub(super) mod reports;
mod return_policy;
pub(super) mod returns;
pub(super) mod sessions;
pub(super) mod subscriptions;
pub(super) mod supplier_people;
pub(super) mod suppliers;
pub(super) mod team;
pub(super) mod unsubscribe;
pub(super) mod usage;
mod user;
pub(super) mod wallet;
pub(super) mod webhooks;

use axum::http::StatusCode;
use leadflow_contracts::common;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::table::{Party, Right, Who};

/// Sellers who may change things.
const SELLERS: Who = Who::Only(&[Party::Seller(Right::Change)]);
/// Sellers, whatever they may change.
const SEEING_SELLERS: Who = Who::Only(&[Party::Seller(Right::See)]);
/// The tenant: sellers and their buyers.
const TENANT: Who = Who::Only(&[Party::Seller(Right::See), Party::Buyer]);
/// Who owns the tenant.
const OWNERS: Who = Who::Only(&[Party::Seller(Right::Own)]);
const ADMINS: Who = Who::Only(&[Party::Admin]);
const BUYERS: Who = Who::Only(&[Party::Buyer]);

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;

/// Nothing but a sentence.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    message: &'static str,
}

/// Of categories, campaigns and subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    /// In use.
    Active,
    /// Out of use for a while.
    Paused,
    /// Out of use for good.
    Archived,
}

impl Status {
    fn of(status: common::Status) -> Self {
        match status {
            common::Status::Active => Self::Active,
            common::Status::Paused => Self::Paused,
            common::Status::Archived | common::Status::Unspecified => Self::Archived,
        }
    }

    const fn to_proto(self) -> common::Status {
        match self {
            Self::Active => common::Status::Active,
            Self::Paused => common::Status::Paused,
            Self::Archived => common::Status::Archived,
        }
    }
}

/// Of buyers and suppliers, who can come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Standing {
    /// May trade.
    Active,
    /// May not, for now.
    Inactive,
}

impl Standing {
    fn of(status: common::Status) -> Self {
        if status == common::Status::Active { Self::Active } else { Self::Inactive }
    }

    const fn to_proto(self) -> common::Status {
        match self {
            Self::Active => common::Status::Active,
            Self::Inactive => common::Status::Paused,
        }
    }
}
