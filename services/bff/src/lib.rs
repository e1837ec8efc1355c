//! The one JSON API of front ends. It keeps nothing: who is signed in, what may be done and what is so,
//! it asks the services over gRPC.

pub mod config;
pub mod http;
pub mod live;
pub mod outbound;

use std::sync::Arc;

use anyhow::Context as _;
use leadflow_kernel::Clock;
use leadflow_platform::{
    Health, Shutdown, grpc,
    http::{ServerLimits, serve_with},
};
use tokio::net::TcpListener;

pub use config::Config;

use crate::{
    live::Live,
    outbound::{gateway::Gateway, services::Services},
};

/// What the service is given.
pub struct Deps {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Serves until `shutdown`, then finishes the requests at hand; streams of events end at once.
///
/// # Errors
/// When the settings cannot be used or the listener fails for good.
pub async fn run(config: Config, deps: Deps, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let limits = ServerLimits { max_connections: config.max_connections, ..ServerLimits::default() };
    let services = Services::connect(&config)?;
    let gateway = Gateway::new(&config.ingest_url, config.call_timeout * 2)?;
    // Without accounts nobody is known. With another service away, what the others know is still answered.
    let accounts = services.accounts_channel();
    let health = Health::new("bff").with("accounts", move || grpc::answers(accounts.clone())).router(&shutdown);
    let live = Live::new(config.live, shutdown.clone());
    let feed = tokio::spawn(live::run(live.clone(), services.clone(), config.nats_url.clone()));
    let api = http::Api::new(&config, services, gateway, live, deps.clock);
    let served = serve_with(listener, http::router(api, health), limits, shutdown.clone()).await;
    // A listener that failed stops the feed too.
    shutdown.cancel();
    feed.await.context("the live feed ended badly")?;
    served.context("HTTP server of bff")
}
