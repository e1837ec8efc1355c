//! Mails: the page for people, and the API for tests.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{Html as HtmlResponse, IntoResponse as _, Response},
};
use leadflow_platform::ApiError;
use serde::{Deserialize, Serialize};

use super::{api::unreadable, html::Html, page::POLICY};
use crate::{
    Sandbox,
    mail::{Mail, MailBehaviour},
};

const SHOWN: usize = 100;
const MAX_LIMIT: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    /// Only mails to this address.
    to: Option<String>,
    limit: Option<usize>,
    /// Only what has a higher `seq`.
    after: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Listing {
    /// Newest first.
    mails: Vec<Mail>,
}

pub(super) async fn list(State(sandbox): State<Sandbox>, Query(query): Query<ListQuery>) -> Json<Listing> {
    let limit = query.limit.unwrap_or(100).min(MAX_LIMIT);
    Json(Listing { mails: sandbox.mails().list(query.to.as_deref(), query.after.unwrap_or(0), limit) })
}

pub(super) async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.mails().clear();
    StatusCode::NO_CONTENT
}

pub(super) async fn behave(
    State(sandbox): State<Sandbox>,
    body: Result<Json<MailBehaviour>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(behaviour) = body.map_err(unreadable)?;
    if !(400..600).contains(&behaviour.status) {
        let sentence = "status must be 400 to 599";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_behaviour", sentence));
    }
    sandbox.mails().behave(behaviour);
    Ok(StatusCode::NO_CONTENT)
}

/// As people see them: the HTML form in a frame of its own, which may do nothing, for it is whatever somebody sent.
pub(super) async fn show(State(sandbox): State<Sandbox>) -> Response {
    let mails = sandbox.mails().list(None, 0, SHOWN);
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>LeadFlow sandbox: mails</title>")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
        .raw("<meta http-equiv=\"refresh\" content=\"15\"><style>")
        .raw(include_str!("page.css"))
        .raw("</style></head><body><header><h1>Mails</h1><p>Every mail that was sent, the newest first; none left this machine. ")
        .raw("<a href=\"/\">Webhooks</a>, <a href=\"/texts\">text messages</a> and <a href=\"/stripe\">payments</a> are over there.</p></header>");
    if mails.is_empty() {
        html.raw("<p class=\"empty\">Nothing has arrived yet.</p>");
    }
    for mail in &mails {
        mail_block(&mut html, mail);
    }
    html.raw("</body></html>");
    let policy = format!("{POLICY}; frame-src 'self'");
    ([(header::CONTENT_SECURITY_POLICY, policy)], HtmlResponse(html.into_string())).into_response()
}

/// One mail's HTML form: without scripts, forms, or anything from elsewhere.
pub(super) async fn rendered(State(sandbox): State<Sandbox>, Path(seq): Path<u64>) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";
    match sandbox.mails().by_seq(seq) {
        Some(mail) => ([(header::CONTENT_SECURITY_POLICY, policy)], HtmlResponse(mail.html)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn mail_block(html: &mut Html, mail: &Mail) {
    html.raw("<section><h2>").text(&mail.subject).raw("</h2><time>").text(mail.received_at.format("%H:%M:%S"));
    html.raw("</time> from <b>")
        .text(&mail.sender)
        .raw("</b> to <b>")
        .text(mail.to.join(", "))
        .raw("</b> by ")
        .text(&mail.via);
    if mail.repeated {
        html.raw(" <span class=\"tag note\">repeat</span>");
    }
    for link in &mail.links {
        html.raw("<p><a rel=\"noreferrer\" href=\"").text(link).raw("\">").text(link).raw("</a></p>");
    }
    if !mail.html.is_empty() {
        html.raw("<iframe sandbox loading=\"lazy\" title=\"the mail\" style=\"width:100%;max-width:40em;height:26em;border:1px solid #8888\" src=\"/mails/")
            .text(mail.seq)
            .raw("/html\"></iframe>");
    }
    html.raw("<details><summary>text</summary><pre>").text(&mail.text).raw("</pre></details>");
    html.raw("<details><summary>HTML</summary><pre>").text(&mail.html).raw("</pre></details></section>");
}
