//! One function a route.

use axum::{
    extract::{Path, Query, Request, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use leadflow_kernel::LeadId;
use leadflow_messaging::trace;
use leadflow_platform::ApiError;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Api, answer, body, budget::Budget, headers, refusal};
use crate::app::{
    App,
    authenticate::Caller,
    lead_id_of,
    look_up::Status,
    post_lead::{NewPost, Posted},
};

/// `POST /api/leads/ingest`
pub(super) async fn post_lead(State(api): State<Api>, request: Request) -> Response {
    let mut budget = Budget::default();
    let answer = take_post(&api, request, &mut budget).await;
    budget.tell(answer)
}

async fn take_post(api: &Api, request: Request, budget: &mut Budget) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = authenticate(&api.app, &parts.headers)?;
    let on_its_way = caller.supplier.bodies.try_acquire().map_err(|_| refusal::too_many_bodies())?;
    budget.take(&caller.supplier.posts, "supplier")?;
    budget.take(&caller.seller.posts, "seller")?;
    let idempotency_key = headers::idempotency_key(&parts.headers)?;
    headers::check_content(&parts.headers)?;
    let body = body::read(&parts.headers, body, api.max_body_bytes, api.body_timeout).await?;
    let _room = api.app.in_flight.try_acquire().map_err(|_| refusal::overloaded())?;
    drop(on_its_way);
    let traceparent = headers::traceparent(&parts.headers);
    let span =
        tracing::info_span!("post_lead", supplier_id = %caller.supplier.id, trace_id = trace::trace_id(&traceparent));
    trace::set_parent(&span, Some(&traceparent));
    let new = NewPost {
        body: &body,
        idempotency_key,
        respond_async: headers::respond_async(&parts.headers),
        traceparent: &traceparent,
        began: Instant::now(),
    };
    let posted = api.app.post_lead(&caller, new).instrument(span).await.map_err(refusal::refused)?;
    Ok(match posted {
        Posted::Decided(decision) => answer::decided(StatusCode::CREATED, &decision),
        Posted::Pending { lead_id, reference, respond_async } => {
            answer::pending(StatusCode::ACCEPTED, lead_id, &reference, &api.public_url, respond_async)
        }
    })
}

/// `GET /api/leads/ingest/{leadId}`
pub(super) async fn by_id(
    State(api): State<Api>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let lead_id = path.ok().and_then(|Path(text)| text.parse().ok());
    look_up(&api, &headers, |_| lead_id.ok_or_else(|| refusal::unknown_lead("there is no such lead"))).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByReference {
    reference: String,
}

/// `GET /api/leads/ingest?reference=`
pub(super) async fn by_reference(State(api): State<Api>, headers: HeaderMap, uri: Uri) -> Response {
    let lead_id = |caller: &Caller| {
        let Ok(Query(query)) = Query::<ByReference>::try_from_uri(&uri) else {
            let sentence = "ask with ?reference= and nothing else, or with the lead's id in the path";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "query_invalid", sentence));
        };
        Ok(lead_id_of(caller.supplier.id, &query.reference))
    };
    look_up(&api, &headers, lead_id).await
}

async fn look_up(
    api: &Api,
    headers: &HeaderMap,
    lead_id: impl FnOnce(&Caller) -> Result<LeadId, ApiError>,
) -> Response {
    let mut budget = Budget::default();
    let answer = find(api, headers, lead_id, &mut budget).await;
    budget.tell(answer)
}

async fn find(
    api: &Api,
    headers: &HeaderMap,
    lead_id: impl FnOnce(&Caller) -> Result<LeadId, ApiError>,
    budget: &mut Budget,
) -> Result<Response, ApiError> {
    let caller = authenticate(&api.app, headers)?;
    budget.take(&caller.supplier.lookups, "supplier")?;
    let status = api.app.look_up(&caller, lead_id(&caller)?).await;
    Ok(match status.map_err(|error| refusal::not_found(&error))? {
        Status::Decided(decision) => answer::decided(StatusCode::OK, &decision),
        Status::Pending(lead_id) => answer::pending(StatusCode::OK, lead_id, "", &api.public_url, false),
    })
}

fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    app.authenticate(headers::api_key(headers)?).map_err(refusal::unauthenticated)
}
