//! Stand-ins for the front end's pages that mails link to: each shows a form, and passes it on to the API.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{Html as HtmlResponse, IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{html::Html, page::POLICY};
use crate::Sandbox;

/// A page that mails link to.
struct Page {
    name: &'static str,
    title: &'static str,
    /// The API's route.
    route: &'static str,
    /// What it wants beside the token: name, label, kind of input.
    fields: &'static [(&'static str, &'static str, &'static str)],
    button: &'static str,
    done: &'static str,
}

const PAGES: [Page; 4] = [
    Page {
        name: "reset-password",
        title: "Choose a new password",
        route: "/api/auth/reset-password",
        fields: &[("password", "New password", "password")],
        button: "Set the password",
        done: "Your password is set. You are signed out everywhere.",
    },
    Page {
        name: "verify-email",
        title: "Confirm your e-mail address",
        route: "/api/auth/verify-email",
        fields: &[],
        button: "This is my address",
        done: "Your address is confirmed.",
    },
    Page {
        name: "accept-invitation",
        title: "Accept the invitation",
        route: "/api/team/invitations/accept",
        fields: &[("name", "Your name", "text"), ("password", "Password", "password")],
        button: "Accept",
        done: "Welcome. You can sign in now.",
    },
    Page {
        name: "unsubscribe",
        title: "No more such mails?",
        route: "/api/notifications/unsubscribe",
        fields: &[],
        button: "End these mails",
        done: "You will not be sent such mails any more.",
    },
];

#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    token: String,
}

pub(super) async fn show(Path(name): Path<String>, Query(query): Query<Shown>) -> Response {
    let Some(page) = find(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let mut html = begin(page);
    html.raw("<form method=\"post\"><input type=\"hidden\" name=\"token\" value=\"").text(query.token).raw("\">");
    for (name, label, kind) in page.fields {
        html.raw("<label>")
            .text(label)
            .raw(" <input name=\"")
            .text(name)
            .raw("\" type=\"")
            .text(kind)
            .raw("\"></label>");
    }
    html.raw("<button>").text(page.button).raw("</button></form>");
    end(html, StatusCode::OK)
}

pub(super) async fn send(
    State(sandbox): State<Sandbox>,
    Path(name): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let Some(page) = find(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let wanted = |name: &str| name == "token" || page.fields.iter().any(|(field, ..)| *field == name);
    let body: Value = form.into_iter().filter(|(name, _)| wanted(name)).collect();
    let url = format!("{}{}", sandbox.api_url, page.route);
    let answer = sandbox.client.send(Method::POST, &url, headers, body.to_string().into()).await;
    let mut html = begin(page);
    let status = match answer {
        Ok(answer) if (200..300).contains(&answer.status) => {
            html.raw("<p>").text(page.done).raw("</p>");
            StatusCode::OK
        }
        Ok(answer) => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            html.raw("<p>").text(body["error"].as_str().unwrap_or("That did not work.")).raw("</p><dl>");
            for (field, problem) in body["fields"].as_object().into_iter().flatten() {
                html.raw("<dt>").text(field).raw("<dd>").text(problem.as_str().unwrap_or_default());
            }
            html.raw("</dl>");
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY)
        }
        Err(failure) => {
            html.raw("<p>The API does not answer: ").text(failure.kind).raw("</p>");
            StatusCode::BAD_GATEWAY
        }
    };
    end(html, status)
}

fn find(name: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.name == name)
}

fn begin(page: &Page) -> Html {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\"><title>")
        .text(page.title)
        .raw("</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>")
        .raw(include_str!("page.css"))
        .raw("</style></head><body><header><h1>")
        .text(page.title)
        .raw("</h1><p>A stand-in for the front end’s page.</p></header>");
    html
}

fn end(mut html: Html, status: StatusCode) -> Response {
    html.raw("</body></html>");
    (status, [(header::CONTENT_SECURITY_POLICY, POLICY)], HtmlResponse(html.into_string())).into_response()
}
