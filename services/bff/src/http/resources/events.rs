//! The live feed.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::accounts::Role;
use leadflow_platform::ApiError;

use super::OK;
use crate::{
    http::{
        Api,
        problem::{Problem, not_yours},
        session::Me,
        table::{Party, Right, Route, Who},
    },
    live::{self, Full, Happening},
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx and those who copied it not to collect what it passes on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// Everybody with a tenant; each hears what he may see.
const WHO: Who = Who::Only(&[Party::Seller(Right::See), Party::Buyer, Party::Supplier]);
/// Seconds after which somebody may try again who was one too many.
const RETRY_SECONDS: u64 = 10;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/events", WHO, "What happens, as it happens (server-sent events)", listen)
            .streams::<Happening>(OK, "Events, until the session ends; load what is shown at `ready` and at `reload`"),
    ]
}

async fn listen(State(api): State<Api>, me: Me, headers: HeaderMap) -> Result<Response, Problem> {
    let party = match me.role() {
        Role::Seller => live::Party::Seller,
        Role::Buyer => live::Party::Buyer(me.buyer()?),
        Role::Supplier => live::Party::Supplier(me.supplier()?),
        Role::Admin | Role::Unspecified => return Err(Problem(not_yours())),
    };
    let again = headers.contains_key(LAST_EVENT_ID);
    let listener = api.live.listen(me.tenant()?, party, me.user.user_id, me.session.session_id, again);
    let body = Body::from_stream(listener.map_err(full)?.into_stream());
    let headers = [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    Ok((headers, body).into_response())
}

fn full(full: Full) -> Problem {
    Problem(match full {
        Full::User => ApiError::too_many("too_many_streams", "close one of your other streams first", RETRY_SECONDS),
        Full::Replica => {
            ApiError::unavailable("streams_full", "there are too many listeners at the moment", RETRY_SECONDS)
        }
    })
}
