//! What the catalogue is asked, from the contract's form.

use leadflow_contracts::{
    common::{self, Outcome},
    distribution::{
        Dimension, ListCampaignsRequest, ListLeadsRequest, ListPurchasesRequest, PurchaseStanding, SumByDayRequest,
        SumByRequest,
    },
};
use leadflow_distribution_domain::{Status, ask};
use leadflow_kernel::{BuyerId, CampaignId, CategoryId, Id, Kind, SupplierId};
use tonic::Code;
use uuid::Uuid;

use super::convert::{self, read_id, status_from_proto};
use crate::{
    app::{SUMS, Shown},
    store::{
        catalogue::{
            campaigns::CampaignFilter,
            leads::LeadFilter,
            purchases::{PurchaseFilter, Standing},
            sums::{By, Whose},
        },
        leads::stored_outcome,
    },
};

/// Campaigns named in one question.
const MAX_NAMED: usize = 200;

fn refuse<T>(sentence: &str) -> Result<T, tonic::Status> {
    Err(leadflow_platform::grpc::status(Code::InvalidArgument, "invalid_field", sentence))
}

/// Reads an id; empty is none.
pub fn optional_id<K: Kind>(text: &str, field: &'static str) -> Result<Option<Id<K>>, tonic::Status> {
    if text.is_empty() { Ok(None) } else { read_id(text, field).map(Some) }
}

/// Reads which campaigns are wanted.
pub fn campaigns(wanted: &ListCampaignsRequest, limit: u32) -> Result<CampaignFilter, tonic::Status> {
    ask::ids("campaign_ids", wanted.campaign_ids.len(), MAX_NAMED).map_err(|error| convert::invalid(&error))?;
    let mut statuses = Vec::new();
    for number in &wanted.statuses {
        match common::Status::try_from(*number).ok().and_then(status_from_proto) {
            Some(status) => statuses.push(status),
            None => return refuse("statuses: unknown"),
        }
    }
    if statuses.is_empty() {
        statuses = vec![Status::Active, Status::Paused];
    }
    let ids = wanted.campaign_ids.iter().map(|id| read_id(id, "campaign_ids")).collect::<Result<_, _>>()?;
    Ok(CampaignFilter {
        statuses,
        category: optional_id(&wanted.category_id, "category_id")?,
        ids,
        after: optional_id(&wanted.after, "after")?,
        limit,
    })
}

/// Reads whose subscriptions are shown with campaigns.
pub fn shown(wanted: &ListCampaignsRequest) -> Result<Shown, tonic::Status> {
    match wanted.subscriptions_of.as_str() {
        "" => Ok(Shown::None),
        "*" => Ok(Shown::All),
        buyer => read_id(buyer, "subscriptions_of").map(Shown::Of),
    }
}

/// Reads which leads are wanted.
pub fn leads(wanted: &ListLeadsRequest) -> Result<LeadFilter, tonic::Status> {
    let mut outcomes = Vec::new();
    for number in &wanted.outcomes {
        match Outcome::try_from(*number) {
            Ok(Outcome::Unspecified | Outcome::Pending | Outcome::Conflict) | Err(_) => {
                return refuse("outcomes: not one that a stored lead has");
            }
            Ok(outcome) => outcomes.push(stored_outcome(outcome)),
        }
    }
    let (from, until) = ask::bounds(wanted.from_ms, wanted.until_ms).map_err(|error| convert::invalid(&error))?;
    Ok(LeadFilter {
        supplier: optional_id(&wanted.supplier_id, "supplier_id")?,
        category: optional_id(&wanted.category_id, "category_id")?,
        campaign: optional_id(&wanted.campaign_id, "campaign_id")?,
        outcomes,
        from,
        until,
    })
}

/// Reads which purchases are wanted.
pub fn purchases(wanted: &ListPurchasesRequest) -> Result<PurchaseFilter, tonic::Status> {
    let (from, until) = ask::bounds(wanted.from_ms, wanted.until_ms).map_err(|error| convert::invalid(&error))?;
    Ok(PurchaseFilter {
        buyer: read_id(&wanted.buyer_id, "buyer_id")?,
        lead: optional_id(&wanted.lead_id, "lead_id")?,
        category: optional_id(&wanted.category_id, "category_id")?,
        from,
        until,
        standing: match wanted.standing() {
            PurchaseStanding::Unspecified => None,
            PurchaseStanding::Unseen => Some(Standing::Unseen),
            PurchaseStanding::Viewed => Some(Standing::Viewed),
            PurchaseStanding::ReturnRequested => Some(Standing::ReturnRequested),
            PurchaseStanding::Returned => Some(Standing::Returned),
            PurchaseStanding::ReturnRejected => Some(Standing::ReturnRejected),
        },
    })
}

/// Reads whose days are added up.
pub fn whose(wanted: &SumByDayRequest) -> Result<Whose, tonic::Status> {
    match (optional_id(&wanted.buyer_id, "buyer_id")?, optional_id(&wanted.supplier_id, "supplier_id")?) {
        (None, None) => Ok(Whose::Tenant),
        (Some(buyer), None) => Ok(Whose::Buyer(buyer)),
        (None, Some(supplier)) => Ok(Whose::Supplier(supplier)),
        (Some(_), Some(_)) => refuse("supplier_id: not together with buyer_id"),
    }
}

/// Reads by what is added up, and for which of them.
pub fn by(wanted: &SumByRequest) -> Result<(By, Vec<Uuid>), tonic::Status> {
    ask::ids("ids", wanted.ids.len(), usize::try_from(SUMS).unwrap_or(0)).map_err(|error| convert::invalid(&error))?;
    match wanted.dimension() {
        Dimension::Unspecified => refuse("dimension: missing or unknown"),
        Dimension::Buyer => Ok((By::Buyer, uuids(&wanted.ids, |id: BuyerId| id.uuid())?)),
        Dimension::Supplier => Ok((By::Supplier, uuids(&wanted.ids, |id: SupplierId| id.uuid())?)),
        Dimension::Campaign => Ok((By::Campaign, uuids(&wanted.ids, |id: CampaignId| id.uuid())?)),
        Dimension::Category => Ok((By::Category, uuids(&wanted.ids, |id: CategoryId| id.uuid())?)),
    }
}

fn uuids<K: Kind>(ids: &[String], uuid: impl Fn(Id<K>) -> Uuid) -> Result<Vec<Uuid>, tonic::Status> {
    ids.iter().map(|id| read_id(id, "ids").map(&uuid)).collect()
}
