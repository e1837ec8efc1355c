//! Local stand-ins for what is outside: a webhook receiver, a mail server, the front end's pages that mails link
//! to, Google as an OpenID provider, SendGrid, Twilio, and Stripe. For development, the demo and
//! tests; never part of a production deployment.

mod config;
mod google;
mod hooks;
mod inbound;
mod mail;
mod payments;
mod sendgrid;
pub mod stripe;
mod twilio;

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use leadflow_kernel::{Clock, SystemClock};
use leadflow_platform::{Health, Shutdown, http};
use tokio::net::TcpListener;

pub use config::Config;
pub use hooks::{Behaviour, Counters, IdCounts, Mode, Received, Verdict};
pub use mail::{Mail, MailBehaviour};
pub use sendgrid::{SendGridBehaviour, SendGridMode};
pub use twilio::{Direction, Text, TextStatus, Told, TwilioBehaviour, TwilioMode};

use google::Issuer;
use hooks::Hooks;
use leadflow_outbound_http::{Client, Options};
use mail::Mails;
use payments::Payments;
use sendgrid::SendGrid;
use twilio::Twilio;

/// What the handlers share.
#[derive(Clone)]
struct Sandbox {
    hooks: Arc<Mutex<Hooks>>,
    mails: Arc<Mutex<Mails>>,
    /// Calls the API that the pages are in front of.
    client: Client,
    api_url: Arc<str>,
    google: Arc<Mutex<Issuer>>,
    sendgrid: Arc<Mutex<SendGrid>>,
    twilio: Arc<Mutex<Twilio>>,
    payments: Payments,
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

/// The issuer that the stand-in for Google is, for a sandbox that is found at this address.
#[must_use]
pub fn google_issuer(address: &str) -> String {
    format!("{}{}", address.trim_end_matches('/'), google::PATH)
}

/// Where clients of Stripe's find the stand-in for it, in a sandbox that is found at this address. The slash at the end
/// matters: `async-stripe` puts `v1/…` right behind it.
#[must_use]
pub fn stripe_api(address: &str) -> String {
    format!("{}{}/", address.trim_end_matches('/'), payments::PATH)
}

/// Where clients of SendGrid's find the stand-in for it.
#[must_use]
pub fn sendgrid_api(address: &str) -> String {
    format!("{}/sendgrid", address.trim_end_matches('/'))
}

/// A new key for the stand-in for SendGrid to sign its events with (`SANDBOX_SENDGRID_WEBHOOK_KEY`).
///
/// # Errors
/// When this machine has no randomness.
pub fn new_sendgrid_key() -> anyhow::Result<String> {
    sendgrid::new_key()
}

/// What events that are signed with `key` are checked with (`SENDGRID_WEBHOOK_PUBLIC_KEY`).
///
/// # Errors
/// When it is no such key.
pub fn sendgrid_public_key(key: &str) -> anyhow::Result<String> {
    Ok(sendgrid::Signer::new(Some(key))?.public_key())
}

/// Where clients of Twilio's find the stand-in for it.
#[must_use]
pub fn twilio_api(address: &str) -> String {
    format!("{}{}", address.trim_end_matches('/'), twilio::PATH)
}

/// Serves on `listeners` until `shutdown`. Hanging requests are let go then.
///
/// # Errors
/// When a listener fails for good.
pub async fn run(config: Config, listeners: Listeners, shutdown: Shutdown) -> anyhow::Result<()> {
    run_at(config, listeners, Arc::new(SystemClock), shutdown).await
}

/// [`run`] with another clock.
///
/// # Errors
/// As [`run`].
pub async fn run_at(
    config: Config,
    listeners: Listeners,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let client = Client::new(Options { allow_loopback: true, ..Options::default() })?;
    let address = match &config.public_url {
        Some(url) => url.clone(),
        None => format!("http://127.0.0.1:{}", listeners.http.local_addr().context("the sandbox's port")?.port()),
    };
    let google = Issuer::new(&config, &address)?;
    let sendgrid = SendGrid::new(config.sendgrid_webhook_url.clone(), config.sendgrid_webhook_key.as_deref())?;
    let payments = Payments::open(&config, &address, clock.clone())?;
    let sandbox = Sandbox {
        payments: payments.clone(),
        mails: Arc::new(Mutex::new(Mails::new(config.max_mails, config.max_mail_bytes))),
        google: Arc::new(Mutex::new(google)),
        sendgrid: Arc::new(Mutex::new(sendgrid)),
        twilio: Arc::new(Mutex::new(Twilio::new(&config))),
        client: client.clone(),
        api_url: config.api_url.trim_end_matches('/').into(),
        hooks: Arc::new(Mutex::new(Hooks::new(config))),
        clock,
        shutdown: shutdown.clone(),
    };
    let sending = tokio::spawn(payments::send_events(payments, client, shutdown.clone()));
    let mailing = tokio::spawn(mail::run(sandbox.clone(), listeners.smtp, shutdown.clone()));
    let router = inbound::router(sandbox).merge(Health::new("sandbox").router(&shutdown));
    let served = http::serve(listeners.http, http::request_id(router), shutdown.clone()).await;
    // A listener that failed stops the other, too.
    shutdown.cancel();
    sending.await.context("sending the events of the stand-in for Stripe ended badly")?;
    mailing.await.context("the mail server of the sandbox ended badly")?;
    served.context("HTTP server of the sandbox")
}
