//! Local stand-ins for what is outside: a webhook receiver, a mail server, and the front end's pages that
//! mails link to. For development, the demo and
//! tests; never part of a production deployment.

mod config;
mod hooks;
mod inbound;
mod mail;

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use leadflow_kernel::{Clock, SystemClock};
use leadflow_platform::{Health, Shutdown, http};
use tokio::net::TcpListener;

pub use config::Config;
pub use hooks::{Behaviour, Counters, IdCounts, Mode, Received, Verdict};
pub use mail::{Mail, MailBehaviour};

use hooks::Hooks;
use leadflow_outbound_http::{Client, Options};
use mail::Mails;

/// What the handlers share.
#[derive(Clone)]
struct Sandbox {
    hooks: Arc<Mutex<Hooks>>,
    mails: Arc<Mutex<Mails>>,
    /// Calls the API that the pages are in front of.
    client: Client,
    api_url: Arc<str>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

/// Where it listens; both are bound already.
pub struct Listeners {
    /// Webhooks, pages and the API of tests.
    pub http: TcpListener,
    /// Mails.
    pub smtp: TcpListener,
}

/// Serves on `listeners` until `shutdown`. Hanging requests are let go then.
///
/// # Errors
/// When a listener fails for good.
pub async fn run(config: Config, listeners: Listeners, shutdown: Shutdown) -> anyhow::Result<()> {
    let client = Client::new(Options { allow_loopback: true, ..Options::default() })?;
    let sandbox = Sandbox {
        mails: Arc::new(Mutex::new(Mails::new(config.max_mails, config.max_mail_bytes))),
        client,
        api_url: config.api_url.trim_end_matches('/').into(),
        hooks: Arc::new(Mutex::new(Hooks::new(config))),
        clock: Arc::new(SystemClock),
        shutdown: shutdown.clone(),
    };
    let mailing = tokio::spawn(mail::run(sandbox.clone(), listeners.smtp, shutdown.clone()));
    let router = inbound::router(sandbox).merge(Health::new("sandbox").router());
    let served = http::serve(listeners.http, http::request_id(router), shutdown.clone()).await;
    // A listener that failed stops the other, too.
    shutdown.cancel();
    mailing.await.context("the mail server of the sandbox ended badly")?;
    served.context("HTTP server of the sandbox")
}
