//! The stand-in for Google: what browsers, clients and tests ask of it.

use axum::{
    Form, Json,
    extract::{Query, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html as HtmlResponse, IntoResponse, Redirect, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use leadflow_platform::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::html::Html;
use crate::{
    Sandbox,
    google::{Asked, Misbehaviour, Person, Refused, Shown},
};

const MAX_EMAIL: usize = 254;
const MAX_NAME: usize = 100;

impl From<Refused> for ApiError {
    fn from(Refused(sentence): Refused) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "sign_in_refused", sentence)
    }
}

pub(super) async fn description(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.google().description())
}

pub(super) async fn keys(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.google().keys())
}

/// The page on which somebody says who he is.
pub(super) async fn ask(State(sandbox): State<Sandbox>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    let google = sandbox.google();
    google.check(&asked)?;
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>LeadFlow sandbox: sign in</title>")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>")
        .raw(include_str!("page.css"))
        .raw("</style></head><body><header><h1>Who are you?</h1><p>")
        .raw("This page stands in for Google’s, on this machine only. Whoever you say you are, you are.</p></header>")
        .raw("<table><tbody>");
    for person in google.people() {
        html.raw("<tr><td>").text(&person.name).raw(" <small>").text(&person.email).raw("</small><td>");
        begin_form(&mut html, &asked);
        hidden(&mut html, "email", &person.email);
        hidden(&mut html, "name", &person.name);
        for (name, on) in [("verified", person.verified), ("hosted", person.hosted)] {
            if on {
                hidden(&mut html, name, "on");
            }
        }
        html.raw("<button>sign in</button></form></tr>");
    }
    html.raw("</tbody></table><h2>Somebody else</h2>");
    begin_form(&mut html, &asked);
    html.raw("<input name=\"email\" type=\"email\" placeholder=\"jane@example.com\" required maxlength=\"254\">")
        .raw("<input name=\"name\" placeholder=\"Jane Doe\" required maxlength=\"100\">")
        .raw("<label><input type=\"checkbox\" name=\"verified\" checked> the address is verified</label>")
        .raw("<label><input type=\"checkbox\" name=\"hosted\" checked> and of a Google Workspace</label>")
        .raw("<button>sign in</button></form><h2>Nobody</h2>");
    begin_form(&mut html, &asked);
    html.raw("<button name=\"cancel\" value=\"on\">go back without signing in</button></form></body></html>");
    // Browsers hold the answer to the form to this, too: it leads back to the client.
    let client = asked.redirect().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {client}; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).map_err(|_| Refused("redirect_uri cannot be used"))?;
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], HtmlResponse(html.into_string())).into_response())
}

fn begin_form(html: &mut Html, asked: &Asked) {
    html.raw("<form method=\"post\">");
    for (name, value) in [
        ("client_id", &asked.client_id),
        ("redirect_uri", &asked.redirect_uri),
        ("response_type", &asked.response_type),
        ("scope", &asked.scope),
        ("state", &asked.state),
        ("nonce", &asked.nonce),
        ("code_challenge", &asked.code_challenge),
        ("code_challenge_method", &asked.code_challenge_method),
    ] {
        hidden(html, name, value);
    }
}

fn hidden(html: &mut Html, name: &'static str, value: &str) {
    html.raw("<input type=\"hidden\" name=\"").raw(name).raw("\" value=\"").text(value).raw("\">");
}

/// What the page sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    #[serde(flatten)]
    asked: Asked,
    email: String,
    name: String,
    verified: Option<String>,
    hosted: Option<String>,
    cancel: Option<String>,
}

pub(super) async fn answer(State(sandbox): State<Sandbox>, Form(said): Form<Said>) -> Result<Redirect, ApiError> {
    let asked = &said.asked;
    let mut google = sandbox.google();
    google.check(asked)?;
    let mut back = asked.redirect().ok_or(Refused("redirect_uri cannot be used"))?;
    let (name, value) = if said.cancel.is_some() {
        ("error", "access_denied".to_owned())
    } else {
        let fits = said.email.len() <= MAX_EMAIL && (1..=MAX_NAME).contains(&said.name.chars().count());
        if !fits || !said.email.contains('@') {
            return Err(Refused("an e-mail address and a name are needed").into());
        }
        let person = Person {
            email: said.email.clone(),
            name: said.name.clone(),
            verified: said.verified.is_some(),
            hosted: said.hosted.is_some(),
        };
        ("code", google.grant(asked, person, sandbox.clock.now())?)
    };
    back.query_pairs_mut().append_pair(name, &value).append_pair("state", &asked.state);
    Ok(Redirect::to(back.as_str()))
}

pub(super) async fn token(State(sandbox): State<Sandbox>, headers: HeaderMap, Form(shown): Form<Shown>) -> Response {
    let now = sandbox.clock.now();
    let outcome = sandbox.google().tokens(client(&headers), &shown, now);
    match outcome {
        Ok(tokens) => ([(header::CACHE_CONTROL, "no-store")], Json(tokens)).into_response(),
        Err((status, error)) => (status, Json(json!({ "error": error }))).into_response(),
    }
}

/// Id and secret, as RFC 6749 (2.3.1) has clients show them.
fn client(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let whole = format!("x={text}");
        url::form_urlencoded::parse(whole.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}

pub(super) async fn misbehave(
    State(sandbox): State<Sandbox>,
    body: Result<Json<Misbehaviour>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(how) = body.map_err(super::api::unreadable)?;
    if let Some(problem) = how.problem() {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_behaviour", problem));
    }
    sandbox.google().misbehave(how);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn replace_key(State(sandbox): State<Sandbox>) -> Result<StatusCode, ApiError> {
    sandbox.google().replace_key().map_err(|_| ApiError::unavailable("no_key", "no key could be made", 1))?;
    Ok(StatusCode::NO_CONTENT)
}
