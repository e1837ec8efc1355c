//! Local stand-ins for what is outside: for now a webhook receiver. For development, the demo and
//! tests; never part of a production deployment.

mod config;
mod hooks;
mod inbound;

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use leadflow_kernel::{Clock, SystemClock};
use leadflow_platform::{Health, Shutdown, http};
use tokio::net::TcpListener;

pub use config::Config;
pub use hooks::{Behaviour, Counters, IdCounts, Mode, Received, Verdict};

use hooks::Hooks;

/// What the handlers share.
#[derive(Clone)]
struct Sandbox {
    hooks: Arc<Mutex<Hooks>>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

/// Serves on `listener` until `shutdown`. Hanging requests are let go then.
///
/// # Errors
/// When the listener fails for good.
pub async fn run(config: Config, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let sandbox = Sandbox {
        hooks: Arc::new(Mutex::new(Hooks::new(config))),
        clock: Arc::new(SystemClock),
        shutdown: shutdown.clone(),
    };
    let router = inbound::router(sandbox).merge(Health::new("sandbox").router());
    http::serve(listener, http::request_id(router), shutdown).await.context("HTTP server of the sandbox")
}
