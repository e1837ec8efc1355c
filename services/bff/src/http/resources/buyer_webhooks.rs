//! A buyer's webhooks as his seller sees them: whether they work, and nothing that is secret.

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::GetBuyerRequest,
    notifier::{Endpoint, ListEndpointsRequest},
};
use leadflow_kernel::BuyerId;
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use super::{
    OK, SEEING_SELLERS,
    webhooks::{EVENTS, Event},
};
use crate::http::{Api, input::PathId, problem::Problem, session::Me, table::Route, values::Time};

pub(in crate::http) fn routes() -> Vec<Route> {
    let what = "A buyer's webhooks: where they are and whether they work, without what is secret";
    vec![
        Route::get("/api/buyers/{id}/endpoints", SEEING_SELLERS, what, of_buyer)
            .answers::<BuyerWebhooks>(OK, "Webhooks, in the order they were made"),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BuyerWebhook {
    id: String,
    name: String,
    /// Scheme, host and port: the rest of its URL may be a secret.
    place: String,
    enabled: bool,
    /// Why it was switched off by the system.
    disabled_reason: Option<String>,
    /// The first failure since the last success.
    failing_since: Option<Time>,
    events: Vec<Event>,
}

impl BuyerWebhook {
    fn of(endpoint: Endpoint) -> Self {
        let told = |name: &String| EVENTS.into_iter().find(|(_, known)| known == name).map(|(event, _)| event);
        let place = Url::parse(&endpoint.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        Self {
            id: endpoint.endpoint_id,
            name: endpoint.name,
            place,
            enabled: endpoint.enabled,
            disabled_reason: Some(endpoint.disabled_reason).filter(|reason| !reason.is_empty()),
            failing_since: Time::from_ms(endpoint.failing_since_ms),
            events: endpoint.events.iter().filter_map(told).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct BuyerWebhooks {
    endpoints: Vec<BuyerWebhook>,
}

async fn of_buyer(
    State(api): State<Api>,
    me: Me,
    PathId(buyer): PathId<BuyerId>,
) -> Result<Json<BuyerWebhooks>, Problem> {
    let tenant = me.tenant()?;
    let request = api.services.request(tenant, GetBuyerRequest { buyer_id: buyer.to_string() });
    api.services.accounts().get_buyer(request).await?;
    let request = api.services.request(tenant, ListEndpointsRequest { buyer_id: buyer.to_string() });
    let listed = api.services.endpoints().list_endpoints(request).await?.into_inner();
    Ok(Json(BuyerWebhooks { endpoints: listed.endpoints.into_iter().map(BuyerWebhook::of).collect() }))
}
