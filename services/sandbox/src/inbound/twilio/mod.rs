//! The stand-in for Twilio: its API, what tests tell it, and the page that shows the messages as they are on a phone.

mod api;
mod calls;
mod controls;
mod page;
mod thread;

use std::sync::{MutexGuard, PoisonError};

use axum::{
    Router,
    routing::{get, post, put},
};

use crate::{Sandbox, twilio::Twilio};

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/twilio/2010-04-01/Accounts/{account}/Messages.json", get(api::list).post(api::send))
        .route("/twilio/2010-04-01/Accounts/{account}/Messages/{message}", get(api::fetch))
        .route("/api/twilio/behaviour", put(controls::behave))
        .route("/api/twilio/inbound", post(controls::write))
        .route("/api/twilio/status", post(controls::tell))
        .route("/api/texts", get(controls::list).delete(controls::clear))
        .route("/texts", get(page::show))
        .route("/texts/answer", post(page::answer))
        .route("/texts/status", post(page::becomes))
}

impl Sandbox {
    fn twilio(&self) -> MutexGuard<'_, Twilio> {
        self.twilio.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
