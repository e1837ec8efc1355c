//! Where a user is signed in.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::accounts::{ListSessionsRequest, RevokeSessionsRequest, Session};
use leadflow_kernel::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

use super::OK;
use crate::http::{
    Api,
    input::PathId,
    problem::{Problem, unknown},
    session::Me,
    table::{Route, Who},
    values::Time,
};

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/auth/sessions", Who::SignedIn, "Where one is signed in", list)
            .answers::<Sessions>(OK, "Sessions, the newest first"),
        Route::delete("/api/auth/sessions", Who::SignedIn, "End one's other sessions", revoke_others)
            .answers::<Revoked>(OK, "Ended"),
        Route::delete("/api/auth/sessions/{id}", Who::SignedIn, "End one of one's sessions", revoke)
            .answers_nothing(StatusCode::NO_CONTENT, "Ended"),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
struct SessionView {
    id: String,
    /// The one that asks.
    current: bool,
    created_at: Option<Time>,
    last_used_at: Option<Time>,
    expires_at: Option<Time>,
    address: String,
    user_agent: String,
}

#[derive(Serialize, ToSchema)]
struct Sessions {
    sessions: Vec<SessionView>,
}

#[derive(Serialize, ToSchema)]
struct Revoked {
    revoked: u32,
}

fn view(session: Session, current: &str) -> SessionView {
    SessionView {
        current: session.session_id == current,
        id: session.session_id,
        created_at: Time::from_ms(session.created_at_ms),
        last_used_at: Time::from_ms(session.last_used_at_ms),
        expires_at: Time::from_ms(session.expires_at_ms),
        address: session.address,
        user_agent: session.user_agent,
    }
}

async fn list(State(api): State<Api>, me: Me) -> Result<Json<Sessions>, Problem> {
    let message = ListSessionsRequest { user_id: me.user.user_id };
    let listed = api.services.people().list_sessions(api.services.unbound(message)).await?.into_inner();
    let sessions = listed.sessions.into_iter().map(|session| view(session, &me.session.session_id)).collect();
    Ok(Json(Sessions { sessions }))
}

async fn revoke_others(State(api): State<Api>, me: Me) -> Result<Json<Revoked>, Problem> {
    let message = RevokeSessionsRequest {
        user_id: me.user.user_id,
        session_id: String::new(),
        keep_session_id: me.session.session_id,
    };
    let answer = api.services.people().revoke_sessions(api.services.unbound(message)).await?.into_inner();
    Ok(Json(Revoked { revoked: answer.revoked }))
}

async fn revoke(State(api): State<Api>, me: Me, PathId(id): PathId<SessionId>) -> Result<StatusCode, Problem> {
    let message =
        RevokeSessionsRequest { user_id: me.user.user_id, session_id: id.to_string(), keep_session_id: String::new() };
    let answer = api.services.people().revoke_sessions(api.services.unbound(message)).await?.into_inner();
    if answer.revoked == 0 { Err(unknown("session")) } else { Ok(StatusCode::NO_CONTENT) }
}
