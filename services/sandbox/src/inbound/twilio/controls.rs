//! For tests and the demo.

use axum::{
    Json,
    extract::{Query, State, rejection::JsonRejection},
    http::StatusCode,
};
use leadflow_platform::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::api::unreadable;
use crate::{
    Sandbox,
    twilio::{Direction, Text, TextStatus, TwilioBehaviour},
};

const MAX_LIMIT: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    /// Only with this number: to it or from it.
    number: Option<String>,
    direction: Option<Direction>,
    limit: Option<usize>,
    /// Only what has a higher `seq`.
    after: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Listing {
    /// Newest first.
    texts: Vec<Text>,
    /// Numbers that said STOP.
    stopped: Vec<String>,
}

pub(super) async fn list(State(sandbox): State<Sandbox>, Query(query): Query<ListQuery>) -> Json<Listing> {
    let twilio = sandbox.twilio();
    let texts = twilio
        .texts()
        .take_while(|text| text.seq > query.after.unwrap_or(0))
        .filter(|text| query.number.as_deref().is_none_or(|number| number == text.person()))
        .filter(|text| query.direction.is_none_or(|direction| direction == text.direction));
    let texts = texts.take(query.limit.unwrap_or(100).min(MAX_LIMIT)).cloned().collect();
    Json(Listing { texts, stopped: twilio.stopped().map(|(_, person)| person.clone()).collect() })
}

pub(super) async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.twilio().clear();
    StatusCode::NO_CONTENT
}

pub(super) async fn behave(
    State(sandbox): State<Sandbox>,
    body: Result<Json<TwilioBehaviour>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(behaviour) = body.map_err(unreadable)?;
    if let Some(problem) = behaviour.problem() {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_behaviour", problem));
    }
    sandbox.twilio().behave(behaviour);
    Ok(StatusCode::NO_CONTENT)
}

/// Something that a person writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// His number.
    from: String,
    /// Ours; the first that we have, unless it is said.
    to: Option<String>,
    body: String,
}

pub(super) async fn write(
    State(sandbox): State<Sandbox>,
    body: Result<Json<Written>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(written) = body.map_err(unreadable)?;
    let to = sandbox.our_number(written.to.as_deref())?;
    let (text, answer) = sandbox.receive(&written.from, &to, &written.body).await;
    Ok(Json(json!({ "sid": text.sid, "answer": answer })))
}

/// What becomes of a message now.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wanted {
    sid: String,
    status: TextStatus,
    #[serde(default)]
    error_code: Option<u32>,
}

pub(super) async fn tell(
    State(sandbox): State<Sandbox>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(wanted) = body.map_err(unreadable)?;
    match sandbox.make_it(&wanted.sid, wanted.status, wanted.error_code).await {
        Some(answer) => Ok(Json(json!({ "answer": answer }))),
        None => Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such message")),
    }
}

impl Sandbox {
    /// One of our numbers: this one, or the first.
    pub(super) fn our_number(&self, wanted: Option<&str>) -> Result<String, ApiError> {
        let twilio = self.twilio();
        let mut numbers = twilio.account.numbers.iter();
        let found = numbers.find(|number| wanted.is_none_or(|wanted| wanted == *number));
        found.cloned().ok_or_else(|| {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "not_our_number", "nobody of ours has that number")
        })
    }
}
