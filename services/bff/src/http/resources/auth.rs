//! Registering, signing in and out, and who is signed in.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::accounts::{
    LogInRequest, LogOutRequest, RegisterBuyerRequest, RegisterSellerRequest, UpdateProfileRequest,
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CREATED, OK,
    user::{UserAnswer, UserView},
};
use crate::http::{
    Api,
    guard::Address,
    input::Body,
    problem::{Problem, away, invalid},
    session::{Me, Shown, cookie, no_cookie},
    table::{Route, Who},
    values::Time,
};

/// What is kept of a browser's name.
const MAX_AGENT: usize = 256;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/auth/register", Who::Public, "Register as a seller, or as a buyer by invite code", register)
            .sign_in()
            .body::<Registration>()
            .answers::<Registered>(CREATED, "Registered; sign in next"),
        Route::post("/api/auth/login", Who::Public, "Sign in by e-mail and password", log_in)
            .sign_in()
            .body::<Credentials>()
            .answers::<SignedIn>(OK, "Signed in; the session's cookie is set as well")
            .refuses(StatusCode::UNAUTHORIZED, "Wrong e-mail or password"),
        Route::post("/api/auth/logout", Who::SignedIn, "Sign out", log_out)
            .answers_nothing(StatusCode::NO_CONTENT, "Signed out"),
        Route::get("/api/auth/session", Who::SignedIn, "Who is signed in", session)
            .answers::<UserAnswer>(OK, "The session's user"),
        Route::put("/api/auth/profile", Who::SignedIn, "Change one's name or phone", profile)
            .body::<Profile>()
            .answers::<UserAnswer>(OK, "Changed"),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum RegistrationRole {
    Seller,
    Buyer,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Registration {
    email: String,
    /// At least 8 characters, and none that everybody uses.
    password: String,
    name: String,
    role: RegistrationRole,
    company_name: String,
    /// The seller's, for a buyer.
    invite_code: Option<String>,
    phone: Option<String>,
    /// Of a seller, e.g. America/New_York.
    time_zone: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Registered {
    message: &'static str,
    user: UserView,
}

async fn register(
    State(api): State<Api>,
    Body(body): Body<Registration>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    let mut people = api.services.people();
    let user_id = UserId::new().to_string();
    let response = match body.role {
        RegistrationRole::Seller => {
            let message = RegisterSellerRequest {
                user_id,
                seller_id: SellerId::new().to_string(),
                email: body.email,
                password: body.password,
                name: body.name,
                company_name: body.company_name,
                time_zone: body.time_zone.unwrap_or_default(),
            };
            people.register_seller(api.services.unbound(message)).await?
        }
        RegistrationRole::Buyer => {
            let invite_code = body.invite_code.filter(|code| !code.trim().is_empty());
            let message = RegisterBuyerRequest {
                user_id,
                buyer_id: BuyerId::new().to_string(),
                email: body.email,
                password: body.password,
                name: body.name,
                company_name: body.company_name,
                invite_code: invite_code.ok_or_else(|| invalid("inviteCode", "is required for a buyer"))?,
                phone: body.phone.unwrap_or_default(),
            };
            people.register_buyer(api.services.unbound(message)).await?
        }
    };
    let response = response.into_inner();
    let user = UserView::of(response.user.ok_or_else(away)?).with_invite_code(response.invite_code);
    Ok((CREATED, Json(Registered { message: "Registered successfully", user })))
}

#[derive(Deserialize, ToSchema)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SignedIn {
    /// For `Authorization: Bearer`.
    token: String,
    /// Unless the session is used before: then it goes on.
    expires_at: Option<Time>,
    user: UserView,
}

async fn log_in(
    State(api): State<Api>,
    Extension(Address(address)): Extension<Address>,
    headers: HeaderMap,
    Body(body): Body<Credentials>,
) -> Result<Response, Problem> {
    let message = LogInRequest { email: body.email, password: body.password, address, user_agent: agent(&headers) };
    let session = api.services.people().log_in(api.services.unbound(message)).await?.into_inner();
    let set_cookie = cookie(&session.token, session.expires_at_ms, api.https);
    let answer = SignedIn {
        expires_at: Time::from_ms(session.expires_at_ms),
        user: UserView::of(session.user.ok_or_else(away)?),
        token: session.token,
    };
    let mut response = Json(answer).into_response();
    response.headers_mut().extend(set_cookie.map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// What the browser calls itself.
pub(super) fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    agent.chars().take(MAX_AGENT).collect()
}

async fn log_out(State(api): State<Api>, me: Me) -> Result<Response, Problem> {
    let message = LogOutRequest { token: me.shown.token().to_owned() };
    api.services.people().log_out(api.services.unbound(message)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(no_cookie(api.https).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

/// The cookie is set again with the session's new end.
async fn session(State(api): State<Api>, me: Me) -> Response {
    let renewed = match &me.shown {
        Shown::Cookie(token) => cookie(token, me.session.expires_at_ms, api.https),
        Shown::Bearer(_) | Shown::Nothing => None,
    };
    let mut response = Json(UserAnswer { user: UserView::of(me.user) }).into_response();
    response.headers_mut().extend(renewed.map(|value| (header::SET_COOKIE, value)));
    response
}

#[derive(Deserialize, ToSchema)]
struct Profile {
    name: Option<String>,
    /// Empty removes it.
    phone: Option<String>,
}

async fn profile(State(api): State<Api>, me: Me, Body(body): Body<Profile>) -> Result<Json<UserAnswer>, Problem> {
    let message =
        UpdateProfileRequest { user_id: me.user.user_id, name: body.name, phone: body.phone, check_only: false };
    let user = api.services.people().update_profile(api.services.unbound(message)).await?.into_inner();
    Ok(Json(UserAnswer { user: UserView::of(user) }))
}
