//! Ending mails by the link in them: as people do it, and as mail programs do it for them (RFC 8058).

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::notifier::UnsubscribeRequest;
use leadflow_platform::{ApiError, grpc::stable_code};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use utoipa::ToSchema;

use super::OK;
use crate::http::{
    Api, docs,
    input::{Query, parse, read},
    problem::Problem,
    table::{Route, Who},
};

const PATH: &str = "/api/notifications/unsubscribe";
const FORM: &str = "application/x-www-form-urlencoded";
/// What RFC 8058 would rather have mail programs send.
const PARTS: &str = "multipart/form-data";
const MAX_BODY: usize = 4 * 1024;
/// The page sends a form to where it is from, and tells that it is from there.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(PATH, Who::Public, "A page with a button that ends such mails; it changes nothing itself", show)
            .query::<Link>()
            .answers_other(OK, "The page", "text/html"),
        Route::post(
            PATH,
            Who::Public,
            "End the mails that a link is of: by its token, or by a mail program's form",
            end,
        )
        .query::<Link>()
        .body::<Token>()
        .answers::<Unsubscribed>(OK, "Ended, now or before")
        .refuses(StatusCode::NOT_FOUND, "`token_not_found`: not a link of ours"),
    ]
}

/// The token from a mail, where it is not in the body.
#[derive(Deserialize, ToSchema)]
#[schema(as = UnsubscribeLink)]
struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = UnsubscribeToken)]
struct Token {
    token: String,
}

#[derive(Serialize, ToSchema)]
struct Unsubscribed {
    message: &'static str,
    /// Of the mails: `DAILY_SUMMARY`, `LEAD_ASSIGNED`, `LOW_BALANCE` or `RETURN_DECIDED`.
    kind: String,
}

/// Programs that look at links before people do end nothing.
async fn show(Query(_): Query<Link>) -> Response {
    let mut page = docs::page(
        "<h1>No more such mails?</h1><form method=post><input type=hidden name=List-Unsubscribe value=One-Click>\
         <button>End these mails</button></form>",
    );
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    page.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    page
}

async fn end(
    State(api): State<Api>,
    Query(link): Query<Link>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let body = read(request, MAX_BODY, api.body_timeout).await?;
    let token = match media.as_str() {
        "application/json" => parse::<Token>(&body)?.token,
        FORM if one_click(&body) => link.token,
        PARTS if one_click_part(&body) => link.token,
        FORM | PARTS => return Err(unsupported("the form must say List-Unsubscribe=One-Click").into()),
        _ => return Err(unsupported("the body must be JSON with the token, or a mail program's form").into()),
    };
    let message = UnsubscribeRequest { token };
    let ended = api.services.messages().unsubscribe(api.services.unbound(message)).await.map_err(refused)?;
    let kind = ended.into_inner().kind;
    Ok(Json(Unsubscribed { message: "You will not be sent such mails any more", kind }).into_response())
}

fn one_click(body: &[u8]) -> bool {
    form_urlencoded::parse(body).any(|(name, value)| name == "List-Unsubscribe" && value == "One-Click")
}

/// The same, of a form in parts: the part of that name has that text, whatever stands between parts.
fn one_click_part(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    text.split("\n\n").zip(text.split("\n\n").skip(1)).any(|(head, value)| {
        let named = head.to_ascii_lowercase().replace('"', "").ends_with("form-data; name=list-unsubscribe");
        named && value.lines().next() == Some("One-Click")
    })
}

fn unsupported(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_unsupported", sentence)
}

fn refused(status: tonic::Status) -> Problem {
    if stable_code(&status) == "invalid_token" {
        return Problem(ApiError::new(StatusCode::NOT_FOUND, "token_not_found", "this link does not work"));
    }
    status.into()
}

#[cfg(test)]
mod tests {
    use super::{one_click, one_click_part};

    #[test]
    fn a_mail_programs_form_says_so() {
        assert!(one_click(b"List-Unsubscribe=One-Click"));
        assert!(one_click(b"x=1&List-Unsubscribe=One-Click"));
        for wrong in [&b""[..], b"List-Unsubscribe=", b"list-unsubscribe=One-Click", b"{}", b"\xff=\xff"] {
            assert!(!one_click(wrong));
        }
    }
    #[test]
    fn so_does_a_form_in_parts() {
        let form = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n--b--\r\n").into_bytes()
        };
        for name in ["\"List-Unsubscribe\"", "List-Unsubscribe"] {
            assert!(one_click_part(&form(name, "One-Click")));
        }
        let second = [
            &b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n"[..],
            &form("List-Unsubscribe", "One-Click"),
        ];
        assert!(one_click_part(&second.concat()));
        for wrong in [form("x", "One-Click"), form("List-Unsubscribe", ""), form("List-Unsubscribe", "One-Clicks")] {
            assert!(!one_click_part(&wrong), "{}", String::from_utf8_lossy(&wrong));
        }
        assert!(!one_click_part(b"") && !one_click_part(b"\xff\n\n\xff"));
    }
}
