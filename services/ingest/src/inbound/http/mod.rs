//! The HTTP API of suppliers.

mod answer;
mod budget;
mod headers;
mod refusal;
mod routes;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};

use leadflow_kernel::LeadId;

use crate::app::App;

/// What the handlers work with.
#[derive(Clone)]
pub struct Api {
    /// The use cases.
    pub app: Arc<App>,
    /// What `statusUrl` begins with.
    pub public_url: Arc<str>,
    /// The most bytes a body may have.
    pub max_body_bytes: usize,
    /// A whole body must have arrived within this.
    pub body_timeout: Duration,
    /// How many of our own proxies stand in front, each adding to `X-Forwarded-For`.
    pub trusted_proxies: usize,
}

impl Api {
    /// Where the caller can ask for the lead's decision.
    fn status_url(&self, lead_id: LeadId, receipt: Option<&str>) -> String {
        let (question, receipt) = receipt.map_or(("", ""), |receipt| ("?receipt=", receipt));
        format!("{}{PATH}/{lead_id}{question}{receipt}", self.public_url)
    }
}

/// The address of posts and look-ups.
pub const PATH: &str = "/api/leads/ingest";

/// The routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route(PATH, post(routes::post_lead).get(routes::by_reference))
        .route("/api/leads/ingest/{lead_id}", get(routes::by_id))
        .with_state(api)
}
