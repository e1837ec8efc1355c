//! The stand-in for SendGrid: its API, and what tests tell it.

use std::sync::{MutexGuard, PoisonError};

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use leadflow_platform::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::unreadable;
use crate::{
    Sandbox,
    mail::Draft,
    sendgrid::{self, Accepted, Problem, SendGrid, SendGridBehaviour, SendGridMode},
};

/// How long until a busy one is asked again.
const BUSY: i64 = 30;

impl Sandbox {
    fn sendgrid(&self) -> MutexGuard<'_, SendGrid> {
        self.sendgrid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(status: StatusCode, problems: &[Problem]) -> Response {
    (status, Json(Problem::body(problems))).into_response()
}

/// `POST /v3/mail/send`
pub(super) async fn take(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let key = header(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    let mode = sandbox.sendgrid().react();
    if mode == SendGridMode::Revoked || !key.starts_with("SG.") {
        let words = "The provided authorization grant is invalid, expired, or revoked";
        return refused(StatusCode::UNAUTHORIZED, &[Problem::plain(words)]);
    }
    match mode {
        SendGridMode::Hang => {
            sandbox.shutdown.cancelled().await;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        SendGridMode::Fail => {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, &[Problem::plain("Internal Server Error")]);
        }
        SendGridMode::Busy => {
            let mut response = refused(StatusCode::TOO_MANY_REQUESTS, &[Problem::plain("too many requests")]);
            let reset = (sandbox.clock.now().timestamp() + BUSY).into();
            response.headers_mut().insert("x-ratelimit-remaining", 0.into());
            response.headers_mut().insert("x-ratelimit-reset", reset);
            return response;
        }
        SendGridMode::Ok | SendGridMode::Lose | SendGridMode::Revoked => {}
    }
    if header(header::CONTENT_TYPE).split(';').next().map(str::trim) != Some("application/json") {
        let words = Problem::plain("Content-Type should be application/json.");
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, &[words]);
    }
    let accepted = match sendgrid::check(&body) {
        Ok(accepted) => accepted,
        Err(problems) => return refused(StatusCode::BAD_REQUEST, &problems),
    };
    let id = keep(&sandbox, accepted);
    if mode == SendGridMode::Lose {
        sandbox.shutdown.cancelled().await;
    }
    // What it takes, it delivers.
    let telling = sandbox.clone();
    let told = id.clone();
    tokio::spawn(async move { telling.tell(&told, "delivered", &json!({ "response": "250 OK" })).await });
    let mut response = StatusCode::ACCEPTED.into_response();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-message-id", id);
    }
    response
}

fn keep(sandbox: &Sandbox, accepted: Accepted) -> String {
    let id = sandbox.sendgrid().next_id("sg-");
    sandbox.mails().keep(
        Draft {
            via: "sendgrid",
            from: accepted.from,
            sender: accepted.sender,
            to: accepted.to,
            // Told again, it has our id again.
            message_id: accepted.custom_args.get("message_id").cloned().unwrap_or_else(|| id.clone()),
            subject: accepted.subject,
            text: accepted.text,
            html: accepted.html,
            provider_id: Some(id.clone()),
            categories: accepted.categories,
            custom_args: accepted.custom_args,
        },
        sandbox.clock.now(),
    );
    id
}

impl Sandbox {
    /// Tells of a mail, if there is anybody to tell. The status of the answer.
    async fn tell(&self, provider_id: &str, event: &str, more: &Value) -> Option<u16> {
        let mail = self.mails().by_provider_id(provider_id)?;
        let (url, headers, body) = {
            let mut sendgrid = self.sendgrid();
            let url = sendgrid.webhook_url.clone()?;
            let event_id = sendgrid.next_id("sge-");
            let now = self.clock.now();
            let body = sendgrid::body(&mail, event, &event_id, more, now);
            (url, sendgrid.signer.headers(&body, now), body)
        };
        sendgrid::send(&self.client, &url, headers, body).await
    }
}

pub(super) async fn behave(
    State(sandbox): State<Sandbox>,
    body: Result<Json<SendGridBehaviour>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(behaviour) = body.map_err(unreadable)?;
    sandbox.sendgrid().behave(behaviour);
    Ok(StatusCode::NO_CONTENT)
}

/// An event of a mail, to be told now.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EventWanted {
    /// SendGrid's id of the mail.
    provider_id: String,
    /// `delivered`, `bounce`, `dropped`, `spamreport`, …
    event: String,
    /// In words.
    #[serde(default)]
    reason: String,
    /// Of a bounce: `bounce` or `blocked`.
    #[serde(default)]
    kind: String,
}

pub(super) async fn tell(
    State(sandbox): State<Sandbox>,
    body: Result<Json<EventWanted>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(wanted) = body.map_err(unreadable)?;
    let mut more = json!({});
    for (name, value) in [("reason", &wanted.reason), ("type", &wanted.kind)] {
        if !value.is_empty() {
            more[name] = value.as_str().into();
        }
    }
    match sandbox.tell(&wanted.provider_id, &wanted.event, &more).await {
        Some(status) => Ok(Json(json!({ "status": status }))),
        None => {
            let sentence = "no such mail, or nobody to tell (SANDBOX_SENDGRID_WEBHOOK_URL)";
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "not_told", sentence))
        }
    }
}

/// What its events are checked with.
pub(super) async fn key(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({ "publicKey": sandbox.sendgrid().signer.public_key() }))
}
