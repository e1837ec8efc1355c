//! The page for people: everybody's phone, and what he may do with it.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Query, State},
    http::header,
    response::{Html as HtmlResponse, IntoResponse as _, Redirect, Response},
};
use leadflow_platform::ApiError;
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    super::{html::Html, page::POLICY},
    thread::{Thread, phone},
};
use crate::{Sandbox, twilio::TextStatus};

/// Messages of all phones together.
const SHOWN: usize = 500;

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    /// One phone alone, where a message can be written.
    number: Option<String>,
}

pub(super) async fn show(State(sandbox): State<Sandbox>, Query(query): Query<ShowQuery>) -> Response {
    let only = query.number.as_deref().filter(|number| !number.is_empty());
    let threads = threads(&sandbox, only);
    let mut html = Html::default();
    html.raw(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>LeadFlow sandbox: text messages</title>",
    )
    .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    if only.is_none() {
        html.raw("<meta http-equiv=\"refresh\" content=\"5\">");
    }
    html.raw("<style>")
        .raw(include_str!("texts.css"))
        .raw("</style></head><body><header><h1>Text messages</h1>")
        .raw("<p>As they are on people’s phones; none left this machine.");
    html.raw(if only.is_none() {
        " The page refreshes every 5 seconds.</p><nav><a href=\"/\">Webhooks</a><a href=\"/mails\">Mails</a>\
         <a href=\"/stripe\">Payments</a></nav>"
    } else {
        "</p><nav><a href=\"/texts\">All phones</a></nav>"
    });
    html.raw("</header><main>");
    if threads.is_empty() {
        html.raw("<p class=\"empty\">Nothing has arrived yet.</p>");
    }
    for thread in &threads {
        phone(&mut html, thread, only.is_some());
    }
    html.raw("</main></body></html>");
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], HtmlResponse(html.into_string())).into_response()
}

/// By whom they are with; who wrote or got something last is first, and each one's oldest message is.
fn threads(sandbox: &Sandbox, only: Option<&str>) -> Vec<Thread> {
    let twilio = sandbox.twilio();
    let mut threads: BTreeMap<(String, String), Thread> = BTreeMap::new();
    for text in twilio.texts().filter(|text| only.is_none_or(|only| only == text.person())).take(SHOWN) {
        let (person, ours) = (text.person().to_owned(), text.ours().to_owned());
        let thread = threads.entry((person.clone(), ours.clone())).or_insert_with(|| Thread {
            stopped: twilio.has_stopped(&ours, &person),
            person,
            ours,
            texts: Vec::new(),
        });
        thread.texts.insert(0, text.clone());
    }
    let mut threads: Vec<_> = threads.into_values().collect();
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.texts.last().map(|text| text.seq)));
    threads
}

/// Back to where the button was.
fn back(number: Option<&str>) -> Redirect {
    match number.filter(|number| !number.is_empty()) {
        Some(number) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("number", number).finish();
            Redirect::to(&format!("/texts?{query}"))
        }
        None => Redirect::to("/texts"),
    }
}

#[derive(Deserialize)]
pub(super) struct AnswerForm {
    from: String,
    to: String,
    body: String,
    back: Option<String>,
}

pub(super) async fn answer(State(sandbox): State<Sandbox>, Form(form): Form<AnswerForm>) -> Result<Redirect, ApiError> {
    let to = sandbox.our_number(Some(&form.to))?;
    sandbox.receive(&form.from, &to, &form.body).await;
    Ok(back(form.back.as_deref()))
}

#[derive(Deserialize)]
pub(super) struct StatusForm {
    sid: String,
    back: Option<String>,
}

/// The network finds out that it could not deliver a message.
pub(super) async fn becomes(State(sandbox): State<Sandbox>, Form(form): Form<StatusForm>) -> Redirect {
    sandbox.make_it(&form.sid, TextStatus::Undelivered, Some(30003)).await;
    back(form.back.as_deref())
}
