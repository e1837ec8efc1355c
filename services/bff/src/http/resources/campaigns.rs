//! Campaigns: what is sold, how and for how much.

use std::str::FromStr;

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    accounts::Role,
    common::{self, DuplicateMatch, DuplicateRule},
    distribution::{self as proto, CampaignRow, ListCampaignsRequest, PutCampaignRequest},
};
use leadflow_kernel::{CampaignId, CategoryId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CREATED, OK, SELLERS, Status, TENANT,
    categories::{CategoryView, TENANT_ON_ITS_WAY},
    return_policy::ReturnPolicy,
    subscriptions::SubscriptionView,
};
use crate::{
    http::{
        Api,
        input::{Body, PathId, Query, Repeat, limit, next_after},
        problem::{Problem, away, bad_query, unknown},
        session::Me,
        table::Route,
        values::{Dollars, Time},
        versions::{IfMatch, Versioned, made_once, put_back},
    },
    outbound::services::patiently,
};

const LIST: &str = "/api/campaigns";
const ONE: &str = "/api/campaigns/{id}";
/// Entries of a page when the caller does not say.
const USUAL_PAGE: u32 = 100;
/// Every subscription of a campaign.
const EVERY: &str = "*";

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(LIST, TENANT, "Campaigns, the newest first; of a buyer's seller, those that are active", list)
            .query::<Asked>()
            .answers::<Campaigns>(OK, "Campaigns"),
        Route::post(LIST, SELLERS, "Make a campaign", create)
            .body::<NewCampaign>()
            .answers::<CampaignAnswer>(CREATED, "Made")
            .versioned(),
        Route::get(ONE, TENANT, "A campaign", show).answers::<OneCampaign>(OK, "The campaign").versioned(),
        Route::put(ONE, SELLERS, "Change a campaign; what is not given stays", update)
            .body::<CampaignChange>()
            .answers::<CampaignAnswer>(OK, "Changed")
            .versioned(),
        Route::delete(ONE, SELLERS, "Archive a campaign", archive)
            .answers::<CampaignAnswer>(OK, "Archived; leads, sales and money stay")
            .versioned(),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = DistributionLogic)]
enum Logic {
    RoundRobin,
    WeightedRoundRobin,
    Waterfall,
    Broadcast,
}

impl Logic {
    const fn of(logic: common::Logic) -> Self {
        match logic {
            common::Logic::RoundRobin | common::Logic::Unspecified => Self::RoundRobin,
            common::Logic::WeightedRoundRobin => Self::WeightedRoundRobin,
            common::Logic::Waterfall => Self::Waterfall,
            common::Logic::Broadcast => Self::Broadcast,
        }
    }

    const fn to_proto(self) -> common::Logic {
        match self {
            Self::RoundRobin => common::Logic::RoundRobin,
            Self::WeightedRoundRobin => common::Logic::WeightedRoundRobin,
            Self::Waterfall => common::Logic::Waterfall,
            Self::Broadcast => common::Logic::Broadcast,
        }
    }
}

/// When one equal field is enough, and when all must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Matching {
    Any,
    All,
}

#[derive(Serialize, ToSchema)]
struct Counts {
    /// Of a buyer: his own.
    subscriptions: u64,
    leads: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Campaign)]
struct CampaignView {
    id: String,
    category_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<CategoryView>,
    name: String,
    description: String,
    status: Status,
    price_per_lead: Dollars,
    distribution_logic: Logic,
    allow_state_selection: bool,
    /// Within so many days the same person is a duplicate; 0: never.
    duplicate_window_days: u32,
    duplicate_fields: Vec<String>,
    duplicate_match: Matching,
    /// Hours an unsold lead stays for sale.
    lead_expiry_hours: u32,
    returns: ReturnPolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Time>,
    /// A buyer sees only his own; of a list, the oldest 100.
    subscriptions: Vec<SubscriptionView>,
    #[serde(rename = "_count")]
    counts: Counts,
    #[serde(skip)]
    version: u64,
}

impl CampaignView {
    fn of(row: CampaignRow, own_only: bool) -> Option<Self> {
        let campaign = row.campaign?;
        let (status, logic) = (Status::of(campaign.status()), Logic::of(campaign.logic()));
        let rule = campaign.duplicates.unwrap_or_default();
        let matching = if rule.r#match() == DuplicateMatch::All { Matching::All } else { Matching::Any };
        let subscriptions: Vec<_> = campaign.subscriptions.into_iter().map(SubscriptionView::of).collect();
        let seen = if own_only { subscriptions.len() as u64 } else { row.subscription_count.into() };
        Some(Self {
            id: campaign.campaign_id,
            category_id: campaign.category_id,
            category: row.category.map(CategoryView::of),
            name: campaign.name,
            description: campaign.description,
            status,
            price_per_lead: Dollars::of(campaign.price.as_ref()),
            distribution_logic: logic,
            allow_state_selection: campaign.allow_state_selection,
            duplicate_window_days: rule.window_days,
            duplicate_fields: rule.fields,
            duplicate_match: matching,
            lead_expiry_hours: campaign.lead_ttl_hours,
            returns: ReturnPolicy::of(campaign.returns.unwrap_or_default()),
            created_at: Time::from_ms(row.created_at_ms),
            subscriptions,
            counts: Counts { subscriptions: seen, leads: row.lead_count },
            version: campaign.version,
        })
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Campaigns {
    campaigns: Vec<CampaignView>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct OneCampaign {
    campaign: CampaignView,
}

#[derive(Serialize, ToSchema)]
struct CampaignAnswer {
    message: &'static str,
    campaign: CampaignView,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// Only these; a seller sees all but archived ones otherwise.
    status: Option<Status>,
    /// Only of this category.
    category: Option<String>,
    /// Entries at most, 1 to 200; 100 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `nextAfter` of the page before.
    after: Option<String>,
}

fn question(me: &Me) -> ListCampaignsRequest {
    if me.role() == Role::Seller {
        ListCampaignsRequest { subscriptions_of: EVERY.to_owned(), ..Default::default() }
    } else {
        let statuses = vec![common::Status::Active.into()];
        ListCampaignsRequest { statuses, subscriptions_of: me.user.buyer_id.clone(), ..Default::default() }
    }
}

async fn list(State(api): State<Api>, me: Me, Query(asked): Query<Asked>) -> Result<Json<Campaigns>, Problem> {
    let limit = limit(asked.limit, USUAL_PAGE)?;
    let mut message = ListCampaignsRequest { limit, ..question(&me) };
    match asked.status {
        Some(status) if me.role() == Role::Seller => message.statuses = vec![status.to_proto().into()],
        Some(Status::Active) | None => {}
        // Whatever else there is, a buyer does not hear of it.
        Some(_) => return Ok(Json(Campaigns { campaigns: Vec::new(), next_after: None })),
    }
    message.category_id = id_or_none::<CategoryId>(asked.category, "category must be a category's id")?;
    message.after = id_or_none::<CampaignId>(asked.after, "after must be nextAfter of the page before")?;
    let request = api.services.request(me.tenant()?, message);
    let rows = api.services.catalogue().list_campaigns(request).await?.into_inner().campaigns;
    let own_only = me.role() != Role::Seller;
    let campaigns: Vec<_> = rows.into_iter().filter_map(|row| CampaignView::of(row, own_only)).collect();
    Ok(Json(Campaigns { next_after: next_after(&campaigns, limit, |campaign| &campaign.id), campaigns }))
}

pub(super) fn id_or_none<T: FromStr>(text: Option<String>, wrong: &str) -> Result<String, Problem> {
    let text = text.unwrap_or_default();
    let fine = text.is_empty() || text.parse::<T>().is_ok();
    if fine { Ok(text) } else { Err(bad_query(wrong)) }
}

async fn show(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<CampaignId>,
) -> Result<Versioned<OneCampaign>, Problem> {
    let campaign = find(&api, &me, id).await?;
    Ok(Versioned(campaign.version, OneCampaign { campaign }))
}

/// The campaign as this user sees it. A seller sees archived ones, too.
async fn find(api: &Api, me: &Me, id: CampaignId) -> Result<CampaignView, Problem> {
    let mut message = ListCampaignsRequest { limit: 1, campaign_ids: vec![id.to_string()], ..question(me) };
    if me.role() == Role::Seller {
        let every = [common::Status::Active, common::Status::Paused, common::Status::Archived];
        message.statuses = every.map(Into::into).to_vec();
    }
    let request = api.services.request(me.tenant()?, message);
    let rows = api.services.catalogue().list_campaigns(request).await?.into_inner().campaigns;
    let row = rows.into_iter().next().ok_or_else(|| unknown("campaign"))?;
    CampaignView::of(row, me.role() != Role::Seller).ok_or_else(|| away().into())
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewCampaign {
    category_id: String,
    name: String,
    #[serde(default)]
    description: String,
    status: Option<Status>,
    price_per_lead: Dollars,
    distribution_logic: Logic,
    #[serde(default)]
    allow_state_selection: bool,
    duplicate_window_days: Option<u32>,
    /// E-mail and phone when not given.
    duplicate_fields: Option<Vec<String>>,
    duplicate_match: Option<Matching>,
    /// 72 when not given.
    lead_expiry_hours: Option<u32>,
    /// No lead is taken back when not given.
    returns: Option<ReturnPolicy>,
}

fn rule(days: u32, fields: Option<Vec<String>>, matching: Option<Matching>) -> DuplicateRule {
    let usual = || if days == 0 { Vec::new() } else { vec!["email".to_owned(), "phone".to_owned()] };
    let matching = match matching {
        Some(Matching::All) => DuplicateMatch::All,
        Some(Matching::Any) | None => DuplicateMatch::Any,
    };
    DuplicateRule { window_days: days, fields: fields.unwrap_or_else(usual), r#match: matching.into() }
}

async fn create(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewCampaign>,
) -> Result<(StatusCode, Versioned<CampaignAnswer>), Problem> {
    let id: CampaignId = repeat.id(&me.user.user_id, "campaign");
    let message = PutCampaignRequest {
        campaign_id: id.to_string(),
        category_id: body.category_id,
        name: body.name,
        description: body.description,
        status: body.status.unwrap_or(Status::Active).to_proto().into(),
        logic: body.distribution_logic.to_proto().into(),
        price: Some(body.price_per_lead.to_proto()),
        allow_state_selection: body.allow_state_selection,
        duplicates: Some(rule(body.duplicate_window_days.unwrap_or(0), body.duplicate_fields, body.duplicate_match)),
        lead_ttl_hours: body.lead_expiry_hours.unwrap_or(0),
        returns: body.returns.map(ReturnPolicy::into_proto),
        expected_version: Some(0),
    };
    let known = || find(&api, &me, id);
    let campaign = made_once(put(&api, &me, id, message), known, |campaign| campaign.version).await?;
    Ok((CREATED, Versioned(campaign.version, CampaignAnswer { message: "Campaign created", campaign })))
}

async fn put(api: &Api, me: &Me, id: CampaignId, message: PutCampaignRequest) -> Result<CampaignView, Problem> {
    let tenant = me.tenant()?;
    let call = || {
        let (mut distribution, request) =
            (api.services.distribution(), api.services.request_by(&me.user, tenant, message.clone()));
        async move { distribution.put_campaign(request).await }
    };
    patiently(TENANT_ON_ITS_WAY, call).await?;
    find(api, me, id).await
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CampaignChange {
    category_id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    status: Option<Status>,
    price_per_lead: Option<Dollars>,
    distribution_logic: Option<Logic>,
    allow_state_selection: Option<bool>,
    duplicate_window_days: Option<u32>,
    duplicate_fields: Option<Vec<String>>,
    duplicate_match: Option<Matching>,
    lead_expiry_hours: Option<u32>,
    /// As a whole.
    returns: Option<ReturnPolicy>,
}

async fn known(api: &Api, me: &Me, id: CampaignId) -> Result<proto::Campaign, Problem> {
    let request = api.services.request(me.tenant()?, proto::GetCampaignRequest { campaign_id: id.to_string() });
    Ok(api.services.distribution().get_campaign(request).await?.into_inner())
}

impl CampaignChange {
    fn applied_to(&self, known: proto::Campaign) -> PutCampaignRequest {
        let old = known.duplicates.unwrap_or_default();
        let matching = if old.r#match() == DuplicateMatch::All { Matching::All } else { Matching::Any };
        let fields = self.duplicate_fields.clone().or_else(|| (!old.fields.is_empty()).then_some(old.fields));
        let days = self.duplicate_window_days.unwrap_or(old.window_days);
        PutCampaignRequest {
            campaign_id: known.campaign_id,
            category_id: self.category_id.clone().unwrap_or(known.category_id),
            name: self.name.clone().unwrap_or(known.name),
            description: self.description.clone().unwrap_or(known.description),
            status: self.status.map_or(known.status, |status| status.to_proto().into()),
            logic: self.distribution_logic.map_or(known.logic, |logic| logic.to_proto().into()),
            price: self.price_per_lead.as_ref().map(Dollars::to_proto).or(known.price),
            allow_state_selection: self.allow_state_selection.unwrap_or(known.allow_state_selection),
            duplicates: Some(rule(days, fields, self.duplicate_match.or(Some(matching)))),
            lead_ttl_hours: self.lead_expiry_hours.unwrap_or(known.lead_ttl_hours),
            // What is not given stays as it is.
            returns: self.returns.clone().map(ReturnPolicy::into_proto),
            expected_version: Some(known.version),
        }
    }
}

async fn update(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<CampaignId>,
    if_match: IfMatch,
    Body(body): Body<CampaignChange>,
) -> Result<Versioned<CampaignAnswer>, Problem> {
    change(&api, &me, id, &if_match, |known| body.applied_to(known), "Campaign updated").await
}

async fn archive(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<CampaignId>,
    if_match: IfMatch,
) -> Result<Versioned<CampaignAnswer>, Problem> {
    let archived = |known: proto::Campaign| PutCampaignRequest {
        campaign_id: known.campaign_id,
        category_id: known.category_id,
        name: known.name,
        description: known.description,
        status: Status::Archived.to_proto().into(),
        logic: known.logic,
        price: known.price,
        allow_state_selection: known.allow_state_selection,
        duplicates: known.duplicates,
        lead_ttl_hours: known.lead_ttl_hours,
        returns: known.returns,
        expected_version: Some(known.version),
    };
    change(&api, &me, id, &if_match, archived, "Campaign archived").await
}

async fn change(
    api: &Api,
    me: &Me,
    id: CampaignId,
    if_match: &IfMatch,
    changed: impl Fn(proto::Campaign) -> PutCampaignRequest,
    message: &'static str,
) -> Result<Versioned<CampaignAnswer>, Problem> {
    let read = || known(api, me, id);
    let put = |known| put(api, me, id, changed(known));
    let campaign = put_back(if_match, read, |known: &proto::Campaign| known.version, put).await?;
    Ok(Versioned(campaign.version, CampaignAnswer { message, campaign }))
}
