//! Signing in by Google. What counts is accounts' business; here browsers are sent to and fro, and keep what they are
//! given in cookies.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::accounts::{BeginGoogleRequest, FinishGoogleRequest, GoogleAttempt, Role};
use leadflow_platform::{ApiError, http::RequestId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::{RegistrationRole, agent};
use crate::http::{
    Api, docs,
    guard::Address,
    input::Query,
    problem::{Problem, away, bad_query, invalid},
    session::{cookie, cookie_value},
    table::{Route, Who},
};

const CALLBACK: &str = "/api/auth/callback/google";
/// Keeps what binds a sign-in to this browser. The newest sign-in that a browser began is the one that it can finish.
const COOKIE: &str = "leadflow_google";
/// Where a browser goes that was not told.
const HOME: &str = "/";
const MAX_PATH: usize = 512;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/auth/google", Who::Public, "Sign in by Google, or register by it", begin)
            .sign_in()
            .shows_pages()
            .query::<Asked>()
            .answers_nothing(StatusCode::FOUND, "To Google; a cookie binds the way back to this browser")
            .refuses(StatusCode::NOT_FOUND, "Not set up here, or the invite code does not work")
            .refuses(StatusCode::UNPROCESSABLE_ENTITY, "What a registration needs is missing or not valid"),
        Route::get(CALLBACK, Who::Public, "Come back from Google", finish)
            .sign_in()
            .shows_pages()
            .query::<Returned>()
            .answers_nothing(StatusCode::FOUND, "Signed in: the session's cookie is set; to returnTo")
            .refuses(StatusCode::UNAUTHORIZED, "Over, begun in another browser, or not what Google signed for us")
            .refuses(StatusCode::FORBIDDEN, "Declined, an address that is not verified, or a suspended account")
            .refuses(StatusCode::NOT_FOUND, "Nobody has this Google account, or the invite code does not work any more")
            .refuses(StatusCode::CONFLICT, "The address is of an account that this Google account does not open"),
    ]
}

/// Without a role, nobody is registered; an invite code is a buyer's.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// What to register as, for somebody who has no account.
    #[schema(inline)]
    role: Option<RegistrationRole>,
    /// A seller's; a buyer without one is called by his own name.
    company_name: Option<String>,
    /// The seller's, for a buyer.
    invite_code: Option<String>,
    /// Of a seller, e.g. America/New_York.
    time_zone: Option<String>,
    /// The path that the browser goes to at the end.
    return_to: Option<String>,
}

impl Asked {
    fn role(&self) -> Result<Role, Problem> {
        let there = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        match self.role {
            Some(RegistrationRole::Seller) if there(&self.company_name) => Ok(Role::Seller),
            Some(RegistrationRole::Seller) => Err(invalid("companyName", "is required for a seller")),
            _ if there(&self.invite_code) => Ok(Role::Buyer),
            Some(RegistrationRole::Buyer) => Err(invalid("inviteCode", "is required for a buyer")),
            None => Ok(Role::Unspecified),
        }
    }
}

async fn begin(
    State(api): State<Api>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, Problem>,
) -> Response {
    let begun = async {
        let Query(asked) = asked?;
        let return_to = asked.return_to.as_deref().unwrap_or(HOME);
        let return_to = local_path(return_to).ok_or_else(|| bad_query("returnTo must be a path such as /leads"))?;
        let message = BeginGoogleRequest {
            redirect_uri: format!("{}{CALLBACK}", api.public_url),
            role: asked.role()?.into(),
            return_to: return_to.to_owned(),
            company_name: asked.company_name.unwrap_or_default(),
            invite_code: asked.invite_code.unwrap_or_default(),
            time_zone: asked.time_zone.unwrap_or_default(),
        };
        let attempt = api.services.people().begin_google(api.services.unhurried(message)).await?.into_inner();
        let GoogleAttempt { authorization_url, browser_token, expires_in_seconds } = attempt;
        let kept = kept(&browser_token, expires_in_seconds, api.https).ok_or_else(away)?;
        sent_to(&authorization_url, [kept])
    };
    begun.await.unwrap_or_else(|problem| for_people(problem, &headers, &request_id))
}

/// What Google sends back.
#[derive(Deserialize, ToSchema)]
#[schema(as = GoogleReturned)]
struct Returned {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    /// Instead of a code.
    #[serde(default)]
    error: String,
}

async fn finish(
    State(api): State<Api>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    Extension(Address(address)): Extension<Address>,
    headers: HeaderMap,
    returned: Result<Query<Returned>, Problem>,
) -> Response {
    let finished = async {
        let Query(Returned { state, code, error }) = returned?;
        let browser_token = cookie_value(&headers, COOKIE).unwrap_or_default().to_owned();
        let message = FinishGoogleRequest { state, code, error, browser_token, address, user_agent: agent(&headers) };
        let entered = api.services.people().finish_google(api.services.unhurried(message)).await?.into_inner();
        let session = entered.session.ok_or_else(away)?;
        let set = cookie(&session.token, session.expires_at_ms, api.https).ok_or_else(away)?;
        let used_up = kept("", 0, api.https).ok_or_else(away)?;
        sent_to(local_path(&entered.return_to).unwrap_or(HOME), [set, used_up])
    };
    finished.await.unwrap_or_else(|problem| for_people(problem, &headers, &request_id))
}

fn sent_to<const N: usize>(place: &str, cookies: [HeaderValue; N]) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(place).map_err(|_| away())?;
    let mut response = (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The cookie that binds a sign-in to its browser: only the way back is told of it. `Lax`, for that way comes from Google.
fn kept(token: &str, seconds: u32, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path={CALLBACK}; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}").parse().ok()
}

/// A path of this very site, as browsers read it: they drop tabs and line breaks, and take `\` for `/`.
fn local_path(text: &str) -> Option<&str> {
    let plain = text.len() <= MAX_PATH && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (plain && text.starts_with('/') && !text.starts_with("//")).then_some(text)
}

/// A browser that was sent here shows a page; everybody else gets the common form.
fn for_people(problem: Problem, headers: &HeaderMap, request_id: &str) -> Response {
    let mut response = problem.into_response();
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_browser = accepts.flat_map(|line| line.split(',')).any(|media| media.trim().starts_with("text/html"));
    // Left there, it would be told as JSON on its way out.
    if is_browser && let Some(ApiError { message, code, .. }) = response.extensions_mut().remove::<ApiError>() {
        let text = docs::escape;
        let page = docs::page(&format!(
            "<h1>You are not signed in</h1><p>{}.</p><p><a href=\"{HOME}\">Go back and try again</a></p>\
             <p><small>{} · {}</small></p>",
            text(&message),
            text(code),
            text(request_id)
        ));
        let (parts, body) = page.into_parts();
        response.headers_mut().extend(parts.headers);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = body;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for good in ["/", "/leads?page=2#top", "/a//b", "/%2F%2Fevil.example"] {
            assert_eq!(local_path(good), Some(good));
        }
        let long = format!("/{}", "x".repeat(MAX_PATH));
        for bad in [
            "",
            "leads",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            " /leads",
            "/a b",
            "/é",
            &long,
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_way_back_alone_is_told_of_the_cookie() {
        let text = "leadflow_google=t; Path=/api/auth/callback/google; HttpOnly; SameSite=Lax; Max-Age=600; Secure";
        assert_eq!(kept("t", 600, true).unwrap(), text);
        assert!(kept("", 0, false).unwrap().to_str().unwrap().ends_with("Max-Age=0"));
    }

    #[test]
    fn an_error_is_a_page_for_browsers_and_nothing_in_it_is_markup() {
        let problem = || Problem(ApiError::new(StatusCode::FORBIDDEN, "google_denied", "<b>no</b>"));
        let asks = |accept: &str| HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        let page = for_people(problem(), &asks("application/json;q=0.9, text/html"), "<i>");
        assert_eq!(page.status(), 403);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(page.extensions().get::<ApiError>().is_none());
        let json = for_people(problem(), &asks("*/*"), "id");
        assert_eq!(json.headers()[header::CONTENT_TYPE], "application/json");
        assert!(json.extensions().get::<ApiError>().is_some());
    }
}
