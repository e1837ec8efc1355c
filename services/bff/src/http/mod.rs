//! The HTTP API of front ends.

mod cors;
mod csrf;
mod dates;
pub(crate) mod decline;
mod docs;
mod guard;
mod input;
mod openapi;
mod problem;
mod resources;
mod security;
mod session;
mod table;
mod values;
mod versions;

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn_with_state};
use leadflow_kernel::Clock;
use leadflow_platform::http::{fallbacks, tags};
use serde_json::Value;

pub use openapi::document;
pub use session::COOKIE;
pub use table::{Party, Right, Route, Who, routes};
pub use values::{Dollars, Exact, Time};

use crate::{
    Config,
    http::guard::Guard,
    live::Live,
    outbound::{gateway::Gateway, services::Services},
};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

/// See [`Api`].
pub struct Parts {
    /// The services.
    pub services: Services,
    /// The ingest gateway.
    pub gateway: Gateway,
    /// Who listens to what happens.
    pub live: Live,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whose pages may send.
    pub origins: Arc<[String]>,
    /// Where front ends find it, without a slash at the end.
    pub public_url: String,
    /// Whether front ends come over TLS.
    pub https: bool,
    /// Own proxies in front.
    pub trusted_proxies: usize,
    /// The most bytes a body may have.
    pub max_body_bytes: usize,
    /// A whole body must have arrived within this.
    pub body_timeout: Duration,
    /// The OpenAPI document.
    pub document: Value,
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Api {
    /// All there is.
    #[must_use]
    pub fn new(config: &Config, services: Services, gateway: Gateway, live: Live, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Parts {
            services,
            gateway,
            live,
            clock,
            origins: config.origins().into(),
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            https: config.is_https(),
            trusted_proxies: config.trusted_proxies,
            max_body_bytes: config.max_body_bytes,
            body_timeout: config.body_timeout,
            document: document(&routes()),
        }))
    }
}

/// The table as a router, each route behind its guard, beside `health`.
pub fn router(api: Api, health: Router) -> Router {
    let mut router = Router::new();
    for Route { path, who, allowance, handler, .. } in routes() {
        let guard = Arc::new(Guard { api: api.clone(), who, allowance });
        router = router.route(path, handler.route_layer(from_fn_with_state(guard, guard::guard)));
    }
    let router = fallbacks(router.with_state(api.clone()).merge(health))
        .layer(from_fn_with_state(api.https, security::layer))
        .layer(from_fn_with_state(Arc::clone(&api.origins), cors::layer));
    tags(router)
}
