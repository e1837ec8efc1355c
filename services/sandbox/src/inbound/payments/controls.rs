//! What Stripe does not have: faults, complaints, failures, and everything for comparing books.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use leadflow_platform::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::api::unreadable;
use crate::{
    Sandbox,
    payments::{Behaviour, Target},
    stripe::{Manners, Outcome, Params, Record},
};

type Read<T> = Result<Json<T>, JsonRejection>;

fn invalid(problem: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_behaviour", problem)
}

/// Stripe's words also here.
fn answer(outcome: Outcome) -> Response {
    match outcome {
        Ok(object) => Json(object).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            (status, Json(error.body())).into_response()
        }
    }
}

pub(super) async fn record(State(sandbox): State<Sandbox>) -> Json<Record> {
    Json(sandbox.payments.with(|core, now| {
        core.advance(now);
        core.record()
    }))
}

pub(super) async fn clear(State(sandbox): State<Sandbox>) -> Result<StatusCode, ApiError> {
    sandbox.payments.clear().map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the stand-in for Stripe could not be emptied");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "not_written", "the file could not be written")
    })?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn behaviour(State(sandbox): State<Sandbox>) -> Json<Behaviour> {
    Json(sandbox.payments.faults())
}

pub(super) async fn behave(State(sandbox): State<Sandbox>, body: Read<Behaviour>) -> Result<Json<Behaviour>, ApiError> {
    let Json(behaviour) = body.map_err(unreadable)?;
    if let Some(problem) = behaviour.problem() {
        return Err(invalid(problem));
    }
    sandbox.payments.set_faults(behaviour.clone());
    Ok(Json(behaviour))
}

#[derive(Serialize)]
pub(super) struct Webhook {
    url: Option<String>,
    secrets: Vec<String>,
    manners: Manners,
    /// Events that wait to be delivered.
    waiting: usize,
}

pub(super) async fn webhook(State(sandbox): State<Sandbox>) -> Json<Webhook> {
    let (url, secrets) = sandbox.payments.target().map_or_else(Default::default, |it| (Some(it.url), it.secrets));
    let (manners, waiting) = sandbox.payments.with(|core, _| (core.manners().clone(), core.waiting_events()));
    Json(Webhook { url, secrets, manners, waiting })
}

/// `{"url":null}`: events go nowhere.
pub(super) async fn set_webhook(State(sandbox): State<Sandbox>, body: Read<Value>) -> Result<StatusCode, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    let target = match body.get("url") {
        Some(Value::Null) => None,
        _ => {
            let target: Target = serde_json::from_value(body).map_err(|error| invalid(&error.to_string()))?;
            if let Some(problem) = target.problem() {
                return Err(invalid(problem));
            }
            Some(target)
        }
    };
    sandbox.payments.set_target(target);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_manners(State(sandbox): State<Sandbox>, body: Read<Manners>) -> Result<StatusCode, ApiError> {
    let Json(manners) = body.map_err(unreadable)?;
    sandbox.payments.with(|core, _| core.set_manners(manners));
    sandbox.payments.wake();
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn resend(State(sandbox): State<Sandbox>, Path(id): Path<String>) -> Response {
    answer(sandbox.payments.with(|core, now| core.resend(&id, now)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DisputeBody {
    amount: Option<i64>,
    reason: Option<String>,
}

pub(super) async fn dispute(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Read<DisputeBody>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    let reason = body.reason.as_deref().unwrap_or("fraudulent");
    Ok(answer(sandbox.payments.with(|core, now| core.dispute(&id, body.amount, reason, now))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseBody {
    won: bool,
}

pub(super) async fn close_dispute(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Read<CloseBody>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    Ok(answer(sandbox.payments.with(|core, now| core.close_dispute(&id, body.won, now))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundBody {
    amount: Option<i64>,
}

/// As somebody at Stripe's dashboard does it: without our metadata.
pub(super) async fn refund(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Read<RefundBody>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    let mut params = json!({ "charge": id });
    if let Some(amount) = body.amount {
        params["amount"] = amount.into();
    }
    let params = Params::from_json(&params);
    Ok(answer(sandbox.payments.with(|core, now| core.create_refund(&params, now))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailBody {
    reason: Option<String>,
}

pub(super) async fn fail_refund(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Read<FailBody>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    Ok(answer(sandbox.payments.with(|core, now| core.fail_refund(&id, body.reason.as_deref(), now))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardBody {
    decline: Option<String>,
}

pub(super) async fn tell_card(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Read<CardBody>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    Ok(answer(sandbox.payments.with(|core, _| core.tell_card(&id, body.decline.as_deref()))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConfirmBody {
    client_secret: String,
    /// A number or a name such as `pm_card_visa`; none: the card that is there.
    card: Option<String>,
}

/// What a front end does with Stripe's own form for cards.
pub(super) async fn confirm(State(sandbox): State<Sandbox>, body: Read<ConfirmBody>) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    let card = body.card.as_deref();
    Ok(answer(sandbox.payments.with(|core, now| core.confirm_with_card(&body.client_secret, card, now))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuthenticateBody {
    client_secret: String,
    confirms: bool,
}

/// What a card's owner does on the page of his bank.
pub(super) async fn authenticate(
    State(sandbox): State<Sandbox>,
    body: Read<AuthenticateBody>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(unreadable)?;
    Ok(answer(sandbox.payments.with(|core, now| core.authenticate(&body.client_secret, body.confirms, now))))
}
