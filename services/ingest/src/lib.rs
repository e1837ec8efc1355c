//! The gateway of suppliers: checks a posted lead from memory, puts it on the stream and answers
//! with its decision. It has no database.

pub mod app;
pub mod config;
pub mod inbound;
pub mod outbound;
pub mod store;

use std::sync::Arc;

use anyhow::Context as _;
use leadflow_contracts::subjects;
use leadflow_kernel::{Clock, EventId};
use leadflow_messaging::{Bus, directory};
use leadflow_platform::{
    Health, Shutdown, grpc,
    http::{self, ServerLimits},
};
use tokio::{net::TcpListener, sync::Semaphore};

pub use config::Config;

use crate::{
    app::{App, Timeouts, receipt::Receipts},
    inbound::directory::{Limits, NOUNS, Records},
    outbound::{decisions::Decisions, publisher::LeadPublisher},
    store::{directory::Directory, recent::Recent, strangers::Strangers, waiters::Waiters},
};

/// Leads accepted lately that are remembered: some 10 MB at most.
const RECENT: usize = 50_000;

/// What the service is given.
pub struct Deps {
    /// Where records and decisions come from.
    pub bus: Bus,
    /// Where leads go.
    pub publisher: Arc<dyn LeadPublisher>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Serves until `shutdown`, then finishes the requests at hand.
///
/// # Errors
/// When the settings cannot be used or the listener fails for good.
pub async fn run(config: Config, deps: Deps, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let channel = grpc::channel(&config.distribution_url, "DISTRIBUTION_GRPC_URL")?;
    let reply_subject = format!("ingest.decisions.{}", EventId::new().uuid().simple());
    let app = Arc::new(App {
        directory: Arc::new(Directory::default()),
        waiters: Waiters::default(),
        recent: Recent::new(RECENT),
        publisher: deps.publisher,
        decisions: Decisions::new(channel, grpc::Caller::new(config.token.clone()), config.lookup_timeout),
        receipts: Receipts::new(&config.token),
        clock: deps.clock,
        timeouts: Timeouts { decision_wait: config.decision_wait, ack: config.ack_timeout },
        reply_subject: reply_subject.clone(),
        in_flight: Semaphore::new(config.max_in_flight),
        strangers: Arc::new(Strangers::new(config.unknown_keys_per_second)),
    });

    // These outlive the server: requests at hand still wait for their decisions.
    let followers_stop = Shutdown::new();
    let messages = deps.bus.subscribe_core(&reply_subject).await.context("listen to decisions")?;
    let listening = tokio::spawn(inbound::decisions::listen(
        deps.bus.clone(),
        reply_subject,
        messages,
        app.waiters.clone(),
        followers_stop.clone(),
    ));
    let heard = deps.bus.subscribe_core(subjects::INGEST_TAKEN).await.context("listen to the other gateways")?;
    let sharing = [
        tokio::spawn(inbound::taken::listen(
            deps.bus.clone(),
            heard,
            app.reply_subject.clone(),
            app.directory.clone(),
            app.strangers.clone(),
            followers_stop.clone(),
        )),
        tokio::spawn(outbound::taken::tell(
            deps.bus.clone(),
            app.reply_subject.clone(),
            app.directory.clone(),
            app.strangers.clone(),
            followers_stop.clone(),
        )),
    ];
    let limits = Limits {
        supplier: config.supplier_posts_per_second,
        seller: config.seller_posts_per_second,
        bodies: config.bodies_of_a_supplier(),
    };
    let records = Records::new(app.directory.clone(), limits);
    let (bus, stop) = (deps.bus.clone(), followers_stop.clone());
    let following = tokio::spawn(async move { directory::follow(bus, &NOUNS, records, stop).await });

    let api = inbound::http::Api {
        app: app.clone(),
        public_url: config.public_url.as_str().into(),
        max_body_bytes: config.max_body_bytes,
        body_timeout: config.body_timeout,
        trusted_proxies: config.trusted_proxies,
    };
    let router =
        http::request_id(inbound::http::router(api).merge(health(deps.bus, app.directory.clone()).router(&shutdown)));
    let limits = ServerLimits {
        max_connections: config.max_connections,
        header_timeout: config.header_timeout,
        ..ServerLimits::default()
    };
    let served = http::serve_with(listener, router, limits, shutdown).await.context("HTTP server of ingest");
    followers_stop.cancel();
    listening.await.context("the listener to decisions ended badly")?;
    following.await.context("the reader of the directory ended badly")?;
    for work in sharing {
        work.await.context("the sharing of limits ended badly")?;
    }
    served
}

fn health(bus: Bus, directory: Arc<Directory>) -> Health {
    let ok_or = |ok: bool, why: &str| if ok { Ok(()) } else { Err(why.to_owned()) };
    Health::new("ingest")
        .with("nats", move || {
            let outcome = ok_or(bus.is_connected(), "cannot be reached");
            async move { outcome }
        })
        .with("directory", move || {
            let outcome = ok_or(directory.is_loaded(), "is not loaded yet");
            async move { outcome }
        })
}
