//! HTTP: the receiver, the stand-in for Google, the pages for people and the API for tests.

mod api;
mod front;
mod google;
mod html;
mod mails;
mod page;
mod payments;
mod receive;
mod sendgrid;
mod twilio;

use std::sync::{MutexGuard, PoisonError};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{get, post, put},
};
use leadflow_platform::ApiError;

use crate::{
    Sandbox,
    google::Issuer,
    hooks::{Hooks, Refusal},
    mail::Mails,
};

/// The largest body that is taken.
const BODY_LIMIT: usize = 1 << 20;

pub(crate) fn router(sandbox: Sandbox) -> Router {
    Router::new()
        .route("/", get(page::show))
        .route("/behaviour", post(page::behave))
        .route("/hooks/{name}", post(receive::receive))
        .route("/api/hooks", get(api::list).delete(api::clear))
        .route("/api/hooks/{name}/ids", get(api::ids))
        .route("/api/hooks/{name}/behaviour", put(api::behave))
        .route("/api/hooks/{name}/secret", put(api::know_secret))
        .route("/mails", get(mails::show))
        .route("/mails/{seq}/html", get(mails::rendered))
        .route("/sendgrid/v3/mail/send", post(sendgrid::take))
        .route("/api/sendgrid/behaviour", put(sendgrid::behave))
        .route("/api/sendgrid/events", post(sendgrid::tell))
        .route("/api/sendgrid/key", get(sendgrid::key))
        .route("/api/mails", get(mails::list).delete(mails::clear))
        .route("/api/mails/behaviour", put(mails::behave))
        .route("/app/{page}", get(front::show).post(front::send))
        .route("/google/.well-known/openid-configuration", get(google::description))
        .route("/google/keys", get(google::keys))
        .route("/google/authorize", get(google::ask).post(google::answer))
        .route("/google/token", post(google::token))
        .route("/api/google/behaviour", put(google::misbehave))
        .route("/api/google/keys", post(google::replace_key))
        .merge(payments::router())
        .merge(twilio::router())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(sandbox)
}

impl Sandbox {
    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mails(&self) -> MutexGuard<'_, Mails> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn google(&self) -> MutexGuard<'_, Issuer> {
        self.google.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (code, sentence) = match refusal {
            Refusal::Name => ("invalid_name", "a name is 1 to 64 letters, digits, dots, dashes and underscores"),
            Refusal::TooManyNames => ("too_many_names", "a sandbox has at most 1000 receivers"),
            Refusal::Secret => ("invalid_secret", "what follows whsec_ must be base64"),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, sentence)
    }
}
