//! Pages for the card's owner: the front end's form for his card, and his bank's question.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html as HtmlResponse, IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    page::{begin, respond, said},
    sections::money,
};
use crate::{Sandbox, stripe::Outcome};

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    client_secret: String,
}

#[derive(Deserialize)]
pub(super) struct Answered {
    client_secret: String,
    #[serde(default)]
    confirms: bool,
}

#[derive(Deserialize)]
pub(super) struct Typed {
    client_secret: String,
    card: String,
}

/// The bank's question.
pub(super) async fn question(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let it = match sandbox.payments.with(|core, _| core.intent_of_secret(&asked.client_secret)) {
        Ok(it) if it["id"] == id.as_str() => it,
        _ => return unknown(),
    };
    let mut html = begin("is this you?", None);
    html.raw("<header><h1>Is this you?</h1><p>Your bank asks, as far as this sandbox has one.</p></header><p>");
    if it["amount"].is_null() {
        html.raw("Your card is to be stored for payments without you.");
    } else {
        html.raw("A payment of <b>");
        money(&mut html, &it, "amount");
        html.raw("</b>");
    }
    html.raw("</p>");
    if it["status"] == "requires_action" {
        html.raw("<form method=\"post\"><input type=\"hidden\" name=\"client_secret\" value=\"")
            .text(&asked.client_secret)
            .raw("\"><button name=\"confirms\" value=\"true\">yes, confirm</button>")
            .raw("<button name=\"confirms\" value=\"false\">no</button></form>");
    } else {
        html.raw("<p>Nobody is asked: it is ").text(word(&it)).raw(".</p>");
    }
    let origin = back(&it).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    // Browsers hold the answer to the form to this, too: it leads back to the front end.
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {origin}; base-uri 'none'; frame-ancestors 'none'"
    );
    html.raw("</body></html>");
    let Ok(policy) = HeaderValue::try_from(policy) else { return unknown() };
    let headers =
        [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, HtmlResponse(html.into_string())).into_response()
}

/// His answer; then the browser goes back to where it came from, as from Stripe.
pub(super) async fn answer(State(sandbox): State<Sandbox>, Form(answered): Form<Answered>) -> Response {
    let outcome = sandbox.payments.with(|core, now| core.authenticate(&answered.client_secret, answered.confirms, now));
    leave(outcome)
}

/// The front end's form.
pub(super) async fn form(State(sandbox): State<Sandbox>, Query(asked): Query<Asked>) -> Response {
    let Ok(it) = sandbox.payments.with(|core, _| core.intent_of_secret(&asked.client_secret)) else { return unknown() };
    let mut html = begin("your card", None);
    html.raw("<header><h1>Your card</h1><p>In the place of Stripe’s form. Test cards only, e.g. 4242 4242 4242 4242.</p></header>");
    if matches!(word(&it), "succeeded" | "canceled") {
        html.raw("<p>It is ").text(word(&it)).raw(" already.</p>");
        return respond(html, StatusCode::OK);
    }
    html.raw("<form method=\"post\"><input type=\"hidden\" name=\"client_secret\" value=\"")
        .text(&asked.client_secret)
        .raw("\"><input name=\"card\" inputmode=\"numeric\" autocomplete=\"off\" maxlength=\"30\" required ")
        .raw("placeholder=\"4242 4242 4242 4242\"><button>confirm</button></form>");
    respond(html, StatusCode::OK)
}

pub(super) async fn type_card(State(sandbox): State<Sandbox>, Form(typed): Form<Typed>) -> Response {
    let card = typed.card.trim();
    match sandbox.payments.with(|core, now| core.confirm_with_card(&typed.client_secret, Some(card), now)) {
        Ok(it) if it["status"] == "requires_action" => {
            let id = it["id"].as_str().unwrap_or_default();
            // Both are of letters, digits and underscores: this one is known.
            Redirect::to(&format!("/stripe/authenticate/{id}?client_secret={}", typed.client_secret)).into_response()
        }
        outcome => leave_to_page(outcome),
    }
}

fn leave(outcome: Outcome) -> Response {
    match &outcome {
        Ok(it) => match back(it) {
            Some(url) => Redirect::to(url.as_str()).into_response(),
            None => leave_to_page(outcome),
        },
        Err(_) => leave_to_page(outcome),
    }
}

fn leave_to_page(outcome: Outcome) -> Response {
    match outcome {
        Ok(it) => {
            let mut html = begin("done", None);
            html.raw("<header><h1>Done</h1></header><p>It is ").text(word(&it)).raw(" now.</p>");
            respond(html, StatusCode::OK)
        }
        Err(error) => said(&error.body(), StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)),
    }
}

/// Where the front end wants its owner back, with what Stripe adds.
fn back(it: &Value) -> Option<Url> {
    let url = it["return_url"].as_str()?;
    let mut url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let kind = it["object"].as_str()?;
    let good = matches!(word(it), "succeeded");
    url.query_pairs_mut()
        .append_pair(kind, it["id"].as_str()?)
        .append_pair(&format!("{kind}_client_secret"), it["client_secret"].as_str()?)
        .append_pair("redirect_status", if good { "succeeded" } else { "failed" });
    Some(url)
}

fn word(it: &Value) -> &str {
    it["status"].as_str().unwrap_or_default()
}

fn unknown() -> Response {
    let body = serde_json::json!({ "error": { "message": "There is no such payment." } });
    said(&body, StatusCode::NOT_FOUND)
}
