//! For tests and the demo.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
};
use leadflow_platform::ApiError;
use serde::{Deserialize, Serialize};

use crate::{
    Sandbox,
    hooks::{Behaviour, Counters, IdCounts, Received},
};

const MAX_LIMIT: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    name: Option<String>,
    limit: Option<usize>,
    /// Only what has a higher `seq`.
    after: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listing {
    /// Newest first.
    received: Vec<Received>,
    counters: BTreeMap<String, Counters>,
    behaviours: BTreeMap<String, Behaviour>,
}

pub(super) async fn list(State(sandbox): State<Sandbox>, Query(query): Query<ListQuery>) -> Json<Listing> {
    let name = query.name.as_deref();
    let hooks = sandbox.hooks();
    let received = hooks.list(name, query.after.unwrap_or(0), query.limit.unwrap_or(100).min(MAX_LIMIT));
    let (mut counters, mut behaviours) = (BTreeMap::new(), BTreeMap::new());
    for (name, (count, behaviour)) in hooks.counters(name) {
        counters.insert(name.clone(), count);
        behaviours.insert(name, behaviour);
    }
    Json(Listing { received, counters, behaviours })
}

pub(super) async fn ids(State(sandbox): State<Sandbox>, Path(name): Path<String>) -> Json<BTreeMap<String, IdCounts>> {
    Json(sandbox.hooks().ids(&name))
}

pub(super) async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.hooks().clear();
    StatusCode::NO_CONTENT
}

pub(super) async fn behave(
    State(sandbox): State<Sandbox>,
    Path(name): Path<String>,
    body: Result<Json<Behaviour>, JsonRejection>,
) -> Result<Json<Behaviour>, ApiError> {
    let Json(behaviour) = body.map_err(unreadable)?;
    if let Some(problem) = behaviour.problem() {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_behaviour", problem));
    }
    sandbox.hooks().behave(&name, behaviour.clone())?;
    Ok(Json(behaviour))
}

#[derive(Deserialize)]
pub(super) struct SecretBody {
    /// Empty: signatures are not checked any more.
    secret: String,
}

pub(super) async fn know_secret(
    State(sandbox): State<Sandbox>,
    Path(name): Path<String>,
    body: Result<Json<SecretBody>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    sandbox.hooks().know_secret(&name, &body.secret)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn unreadable(rejection: JsonRejection) -> ApiError {
    ApiError::new(rejection.status(), "malformed", rejection.body_text())
}
