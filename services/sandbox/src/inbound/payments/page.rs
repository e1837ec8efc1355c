//! The page for people: what a dashboard of Stripe's shows, with buttons for what it has not.

use axum::{
    Form,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html as HtmlResponse, IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{html::Html, page::POLICY},
    deeds::{Deed, do_it},
    sections,
};
use crate::Sandbox;

const SHOWN: usize = 50;

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    paused: Option<String>,
}

pub(super) async fn show(State(sandbox): State<Sandbox>, Query(query): Query<ShowQuery>) -> Response {
    let paused = query.paused.is_some();
    let [customers, methods, setups, intents, charges, refunds, disputes, events] =
        sandbox.payments.with(|core, now| {
            core.advance(now);
            [
                "customers",
                "payment_methods",
                "setup_intents",
                "payment_intents",
                "charges",
                "refunds",
                "disputes",
                "events",
            ]
            .map(|resource| core.show(resource, SHOWN, now))
        });
    let (manners, waiting) = sandbox.payments.with(|core, _| (core.manners().clone(), core.waiting_events()));
    let mut html = begin("payments", if paused { None } else { Some(3) });
    html.raw("<header><h1>Payments</h1><p><a href=\"/\">Webhooks of buyers</a>, <a href=\"/mails\">mails</a> and <a href=\"/texts\">text messages</a> are over there. ")
        .raw("A stand-in for Stripe; no money is real. ");
    if paused {
        html.raw("Refreshing is stopped; <a href=\"/stripe\">start it</a>.");
    } else {
        html.raw("The page refreshes every 3 seconds; <a href=\"?paused=1\">stop that</a>.");
    }
    html.raw("</p></header>");
    sections::manners(&mut html, &sandbox.payments.faults(), &manners, waiting, sandbox.payments.target().as_ref());
    if customers.is_empty() && intents.is_empty() && setups.is_empty() {
        html.raw("<p class=\"empty\">Nobody has called yet.</p>");
    }
    sections::setups(&mut html, &setups);
    sections::intents(&mut html, &intents);
    sections::charges(&mut html, &charges);
    sections::refunds(&mut html, &refunds);
    sections::disputes(&mut html, &disputes);
    sections::customers(&mut html, &customers, &methods);
    sections::events(&mut html, &events);
    respond(html, StatusCode::OK)
}

/// A button was pressed.
pub(super) async fn press(State(sandbox): State<Sandbox>, Form(deed): Form<Deed>) -> Response {
    match do_it(&sandbox, &deed) {
        Ok(()) => Redirect::to("/stripe").into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            said(&error.body(), status)
        }
    }
}

/// A page with what was answered instead.
pub(super) fn said(body: &Value, status: StatusCode) -> Response {
    let mut html = begin("payments", None);
    html.raw("<header><h1>That did not work</h1></header><p>")
        .text(body["error"]["message"].as_str().unwrap_or("It was refused."))
        .raw("</p><p><a href=\"/stripe\">Back</a></p>");
    respond(html, status)
}

pub(super) fn begin(title: &'static str, refresh: Option<u8>) -> Html {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">")
        .raw("<title>LeadFlow sandbox: ")
        .text(title)
        .raw("</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    if let Some(seconds) = refresh {
        html.raw("<meta http-equiv=\"refresh\" content=\"").text(seconds).raw("\">");
    }
    html.raw("<style>").raw(include_str!("../page.css")).raw("</style></head><body>");
    html
}

pub(super) fn respond(mut html: Html, status: StatusCode) -> Response {
    html.raw("</body></html>");
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    (status, headers, HtmlResponse(html.into_string())).into_response()
}
