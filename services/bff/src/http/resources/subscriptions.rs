//! A buyer's standing orders.

use axum::{extract::State, http::StatusCode};
use leadflow_contracts::{
    common,
    distribution::{self as proto, GetCampaignRequest, GetSubscriptionRequest, PutSubscriptionRequest},
};
use leadflow_kernel::{CampaignId, SubscriptionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUYERS, CREATED, OK, Status};
use crate::{
    http::{
        Api,
        input::{Body, Query, Repeat},
        problem::{Problem, unknown},
        session::Me,
        table::Route,
        values::present,
        versions::{IfMatch, Versioned, made_once, put_back},
    },
    outbound::services::patiently,
};

const PATH: &str = "/api/campaigns/subscribe";
/// A buyer who has just registered is heard of by distribution a moment later.
const BUYER_ON_ITS_WAY: &[&str] = &["buyer_not_found", "seller_unknown"];

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post(PATH, BUYERS, "Subscribe to a campaign", subscribe)
            .body::<NewSubscription>()
            .answers::<SubscriptionAnswer>(CREATED, "Subscribed")
            .versioned(),
        Route::put(PATH, BUYERS, "Change a subscription; what is not given stays", update)
            .body::<SubscriptionChange>()
            .answers::<SubscriptionAnswer>(OK, "Changed")
            .versioned(),
        Route::delete(PATH, BUYERS, "Unsubscribe", unsubscribe)
            .query::<Which>()
            .answers::<SubscriptionAnswer>(OK, "Ended; what was bought stays")
            .versioned(),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Subscription)]
pub(super) struct SubscriptionView {
    id: String,
    campaign_id: String,
    buyer_id: String,
    status: Status,
    /// Leads a day; null: no cap; 0: none at all.
    daily_cap: Option<u32>,
    /// USPS codes; empty: every state.
    states: Vec<String>,
    /// The buyer's place in a waterfall, 1 first; the seller's word counts before the buyer's.
    waterfall_priority: u32,
    sold_today: u32,
    #[serde(skip)]
    version: u64,
}

impl SubscriptionView {
    pub(super) fn of(subscription: proto::Subscription) -> Self {
        let status = Status::of(subscription.status());
        let fixed = subscription.seller_waterfall_priority;
        Self {
            id: subscription.subscription_id,
            campaign_id: subscription.campaign_id,
            buyer_id: subscription.buyer_id,
            status,
            daily_cap: subscription.daily_cap,
            states: subscription.states,
            waterfall_priority: if fixed == 0 { subscription.waterfall_priority } else { fixed },
            sold_today: subscription.sold_today,
            version: subscription.version,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct SubscriptionAnswer {
    message: &'static str,
    subscription: SubscriptionView,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewSubscription {
    campaign_id: String,
    daily_cap: Option<u32>,
    #[serde(default)]
    states: Vec<String>,
    waterfall_priority: Option<u32>,
}

async fn subscribe(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewSubscription>,
) -> Result<(StatusCode, Versioned<SubscriptionAnswer>), Problem> {
    let campaign: CampaignId = body.campaign_id.parse().map_err(|_| unknown("campaign"))?;
    // A buyer knows of active campaigns only.
    let question = GetCampaignRequest { campaign_id: campaign.to_string() };
    let request = api.services.request(me.tenant()?, question);
    let known = api.services.distribution().get_campaign(request).await?.into_inner();
    if known.status() != common::Status::Active {
        return Err(unknown("campaign"));
    }
    let id: SubscriptionId = repeat.id(&me.user.user_id, "subscription");
    let message = PutSubscriptionRequest {
        subscription_id: id.to_string(),
        campaign_id: campaign.to_string(),
        buyer_id: me.buyer()?.to_string(),
        status: Status::Active.to_proto().into(),
        daily_cap: body.daily_cap,
        states: body.states,
        waterfall_priority: body.waterfall_priority.unwrap_or(0),
        seller_waterfall_priority: 0,
        expected_version: Some(0),
    };
    let own_id = id.to_string();
    let known = || async { Ok(SubscriptionView::of(own(&api, &me, &own_id).await?)) };
    let subscription = made_once(put(&api, &me, message), known, |subscription| subscription.version).await?;
    Ok((CREATED, Versioned(subscription.version, SubscriptionAnswer { message: "Subscribed", subscription })))
}

async fn put(api: &Api, me: &Me, message: PutSubscriptionRequest) -> Result<SubscriptionView, Problem> {
    let tenant = me.tenant()?;
    let call = || {
        let (mut distribution, request) =
            (api.services.distribution(), api.services.request_by(&me.user, tenant, message.clone()));
        async move { distribution.put_subscription(request).await }
    };
    Ok(SubscriptionView::of(patiently(BUYER_ON_ITS_WAY, call).await?.into_inner()))
}

/// The buyer's own; another buyer's is not there.
async fn own(api: &Api, me: &Me, id: &str) -> Result<proto::Subscription, Problem> {
    let id: SubscriptionId = id.parse().map_err(|_| unknown("subscription"))?;
    let request = api.services.request(me.tenant()?, GetSubscriptionRequest { subscription_id: id.to_string() });
    let found = api.services.catalogue().get_subscription(request).await?.into_inner();
    if found.buyer_id == me.buyer()?.to_string() { Ok(found) } else { Err(unknown("subscription")) }
}

fn as_it_is(known: proto::Subscription) -> PutSubscriptionRequest {
    PutSubscriptionRequest {
        subscription_id: known.subscription_id,
        campaign_id: known.campaign_id,
        buyer_id: known.buyer_id,
        status: known.status,
        daily_cap: known.daily_cap,
        states: known.states,
        waterfall_priority: known.waterfall_priority,
        seller_waterfall_priority: known.seller_waterfall_priority,
        expected_version: Some(known.version),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SubscriptionChange {
    subscription_id: String,
    /// Null removes the cap.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    daily_cap: Option<Option<u32>>,
    states: Option<Vec<String>>,
    waterfall_priority: Option<u32>,
    status: Option<Status>,
}

async fn update(
    State(api): State<Api>,
    me: Me,
    if_match: IfMatch,
    Body(body): Body<SubscriptionChange>,
) -> Result<Versioned<SubscriptionAnswer>, Problem> {
    let changed = |known: PutSubscriptionRequest| PutSubscriptionRequest {
        status: body.status.map_or(known.status, |status| status.to_proto().into()),
        daily_cap: body.daily_cap.unwrap_or(known.daily_cap),
        states: body.states.clone().unwrap_or(known.states),
        waterfall_priority: body.waterfall_priority.unwrap_or(known.waterfall_priority),
        ..known
    };
    change(&api, &me, &body.subscription_id, &if_match, changed, "Subscription updated").await
}

async fn change(
    api: &Api,
    me: &Me,
    id: &str,
    if_match: &IfMatch,
    changed: impl Fn(PutSubscriptionRequest) -> PutSubscriptionRequest,
    message: &'static str,
) -> Result<Versioned<SubscriptionAnswer>, Problem> {
    let read = || own(api, me, id);
    let put = |known| put(api, me, changed(as_it_is(known)));
    let subscription = put_back(if_match, read, |known: &proto::Subscription| known.version, put).await?;
    Ok(Versioned(subscription.version, SubscriptionAnswer { message, subscription }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = WhichSubscription)]
struct Which {
    /// The subscription's.
    id: String,
}

async fn unsubscribe(
    State(api): State<Api>,
    me: Me,
    if_match: IfMatch,
    Query(which): Query<Which>,
) -> Result<Versioned<SubscriptionAnswer>, Problem> {
    let archived = |known| PutSubscriptionRequest { status: Status::Archived.to_proto().into(), ..known };
    change(&api, &me, &which.id, &if_match, archived, "Unsubscribed").await
}
