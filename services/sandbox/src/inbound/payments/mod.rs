//! The stand-in for Stripe: its API, its page, and the controls that Stripe does not have.

mod api;
mod controls;
mod deeds;
mod owner;
mod page;
mod sections;

use axum::{
    Router,
    routing::{any, get, post, put},
};

use crate::Sandbox;

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/stripe/v1/{*path}", any(api::call))
        .route("/stripe", get(page::show).post(page::press))
        .route("/stripe/authenticate/{id}", get(owner::question).post(owner::answer))
        .route("/stripe/card", get(owner::form).post(owner::type_card))
        .route("/api/stripe", axum::routing::delete(controls::clear))
        .route("/api/stripe/record", get(controls::record))
        .route("/api/stripe/behaviour", get(controls::behaviour).put(controls::behave))
        .route("/api/stripe/webhook", get(controls::webhook).put(controls::set_webhook))
        .route("/api/stripe/webhook/manners", put(controls::set_manners))
        .route("/api/stripe/events/{id}/resend", post(controls::resend))
        .route("/api/stripe/charges/{id}/dispute", post(controls::dispute))
        .route("/api/stripe/charges/{id}/refund", post(controls::refund))
        .route("/api/stripe/disputes/{id}/close", post(controls::close_dispute))
        .route("/api/stripe/refunds/{id}/fail", post(controls::fail_refund))
        .route("/api/stripe/cards/{id}", put(controls::tell_card))
        .route("/api/stripe/confirm", post(controls::confirm))
        .route("/api/stripe/authenticate", post(controls::authenticate))
}
