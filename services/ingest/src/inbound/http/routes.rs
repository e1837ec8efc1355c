//! One function a route.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, Path, Query, Request, State, rejection::PathRejection},
    http::{Extensions, HeaderMap, StatusCode, Uri},
    response::Response,
};
use leadflow_kernel::LeadId;
use leadflow_messaging::trace;
use leadflow_platform::{
    ApiError,
    http::{caller_address, read_body},
};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Api, answer, budget::Budget, headers, refusal};
use crate::app::{
    authenticate::{AuthError, Caller},
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
    let caller = authenticate(api, &parts.headers, peer_of(&parts.extensions), budget)?;
    let on_its_way = caller.supplier.bodies.try_acquire().map_err(|_| refusal::too_many_bodies())?;
    budget.take(&caller.supplier.posts, "supplier")?;
    budget.take(&caller.seller.posts, "seller")?;
    let idempotency_key = headers::idempotency_key(&parts.headers)?;
    headers::check_content(&parts.headers)?;
    let body = read_body(&parts.headers, body, api.max_body_bytes, api.body_timeout).await?;
    let _room = api.app.in_flight.try_acquire().map_err(|_| refusal::overloaded())?;
    drop(on_its_way);
    let traceparent = headers::traceparent(&parts.headers);
    // Only made when spans are exported; log lines name the trace themselves.
    let span = tracing::trace_span!(target: "leadflow::trace", "post_lead", supplier_id = %caller.supplier.id);
    if !span.is_disabled() {
        trace::set_parent(&span, Some(&traceparent));
    }
    let new = NewPost {
        body: &body,
        idempotency_key,
        respond_async: headers::respond_async(&parts.headers),
        traceparent: &traceparent,
        began: Instant::now(),
    };
    let posted =
        api.app.post_lead(&caller, new).instrument(span).await.map_err(refusal::refused).inspect_err(|error| {
            let trace_id = trace::trace_id(&traceparent);
            tracing::debug!(trace_id, supplier_id = %caller.supplier.id, code = error.code, "post refused");
        })?;
    Ok(match posted {
        Posted::Decided(decision) => answer::decided(StatusCode::CREATED, &decision),
        Posted::Pending { lead_id, reference, receipt, respond_async } => {
            let status_url = api.status_url(lead_id, Some(&receipt));
            answer::pending(StatusCode::ACCEPTED, lead_id, &reference, status_url, respond_async)
        }
    })
}

/// What is asked for.
struct Asked {
    lead_id: LeadId,
    receipt: Option<String>,
}

#[derive(Default, Deserialize)]
struct WithReceipt {
    receipt: Option<String>,
}

/// `GET /api/leads/ingest/{leadId}`, with `?receipt=` when it is a `statusUrl`.
pub(super) async fn by_id(
    State(api): State<Api>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let asked = |_: &Caller| {
        let lead_id = path.ok().and_then(|Path(text)| text.parse().ok());
        let Query(WithReceipt { receipt }) = Query::try_from_uri(&uri).unwrap_or_default();
        Ok(Asked { lead_id: lead_id.ok_or_else(refusal::no_lead)?, receipt })
    };
    look_up(&api, &headers, peer, asked).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByReference {
    reference: String,
}

/// `GET /api/leads/ingest?reference=`
pub(super) async fn by_reference(
    State(api): State<Api>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let asked = |caller: &Caller| {
        let Ok(Query(query)) = Query::<ByReference>::try_from_uri(&uri) else {
            let sentence = "ask with ?reference= and nothing else, or with the lead's id in the path";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "query_invalid", sentence));
        };
        Ok(Asked { lead_id: lead_id_of(caller.supplier.id, &query.reference), receipt: None })
    };
    look_up(&api, &headers, peer, asked).await
}

async fn look_up(
    api: &Api,
    headers: &HeaderMap,
    peer: SocketAddr,
    asked: impl FnOnce(&Caller) -> Result<Asked, ApiError>,
) -> Response {
    let mut budget = Budget::default();
    let answer = find(api, headers, peer, asked, &mut budget).await;
    budget.tell(answer)
}

async fn find(
    api: &Api,
    headers: &HeaderMap,
    peer: SocketAddr,
    asked: impl FnOnce(&Caller) -> Result<Asked, ApiError>,
    budget: &mut Budget,
) -> Result<Response, ApiError> {
    let caller = authenticate(api, headers, Some(peer), budget)?;
    budget.take(&caller.supplier.lookups, "supplier")?;
    let Asked { lead_id, receipt } = asked(&caller)?;
    let status = api.app.look_up(&caller, lead_id, receipt.as_deref()).await;
    Ok(match status.map_err(|error| refusal::not_found(&error))? {
        Status::Decided(decision) => answer::decided(StatusCode::OK, &decision),
        Status::Pending { receipt } => {
            let status_url = api.status_url(lead_id, receipt.as_deref());
            answer::pending(StatusCode::OK, lead_id, "", status_url, false)
        }
    })
}

fn peer_of(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
}

/// Who calls. Who shows no key that is known is counted by address, before he is told so.
fn authenticate(
    api: &Api,
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
    budget: &mut Budget,
) -> Result<Caller, ApiError> {
    let refused = match headers::api_key(headers).map(|key| api.app.authenticate(key)) {
        Ok(Ok(caller)) => return Ok(caller),
        Ok(Err(AuthError::Starting)) => return Err(refusal::unauthenticated(AuthError::Starting)),
        Ok(Err(error)) => refusal::unauthenticated(error),
        Err(refused) => refused,
    };
    let address = caller_address(headers, peer.map(|peer| peer.ip()), api.trusted_proxies);
    budget.take(&api.app.strangers.of(&address), "address")?;
    Err(refused)
}
