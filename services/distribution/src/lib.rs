//! Who gets which lead: campaigns and subscriptions, decisions, and leads that sell later. Leads
//! arrive as events in batches; each batch is decided in one transaction.

pub mod app;
pub mod config;
pub mod inbound;
mod metrics;
pub mod outbound;
mod store;
pub mod workers;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use leadflow_contracts::{
    distribution::{
        catalogue_server::CatalogueServer, distribution_server::DistributionServer, privacy_server::PrivacyServer,
        returns_server::ReturnsServer,
    },
    streams,
};
use leadflow_distribution_domain::person::ERASURE_PURPOSE;
use leadflow_kernel::Clock;
use leadflow_messaging::{
    Bus,
    consumer::{self, BatchHandler, ConsumerSettings},
    outbox::{Outbox, Relay},
};
use leadflow_platform::{Health, Shutdown, audit, db, grpc, http};
use tokio::net::TcpListener;

pub use config::Config;
pub use store::{
    projections::{Buyer, Seller},
    records::{Campaign, Category, Field, Subscription},
};

use crate::{
    inbound::{
        directory_events::DirectoryEvents, lead_events::LeadEvents, refusals::Refusals, wallet_events::WalletEvents,
    },
    outbound::billing::BillingHolds,
};

/// The service's schema.
pub const SCHEMA: &str = "distribution";
/// The role that the service takes on its connections.
pub const ROLE: &str = "leadflow_distribution";
/// The role that its transactions for one tenant take instead.
pub const TENANT_ROLE: &str = "leadflow_distribution_tenant";
/// The schema's history.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// What the service is given.
pub struct Deps {
    /// Where its events come from and go to; the topology exists.
    pub bus: Bus,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Where it listens; both are bound already.
pub struct Listeners {
    /// Commands and questions.
    pub grpc: TcpListener,
    /// `/healthz` and `/readyz`.
    pub http: TcpListener,
}

/// Serves until `shutdown`, finishes the calls and the batch at hand, and publishes their events.
///
/// # Errors
/// When the settings cannot be used or a listener fails for good.
pub async fn run(config: Config, deps: Deps, listeners: Listeners, shutdown: Shutdown) -> anyhow::Result<()> {
    let pool = db::connect(&config.database).context("the database URL of distribution cannot be read")?;
    let billing = grpc::channel(&config.billing_url, "BILLING_GRPC_URL")?;
    // The relay outlives everything else: the last batch's events are published too.
    let relay_stop = Shutdown::new();
    let (relay, relaying) = Relay::new(Outbox::new(SCHEMA), pool.clone(), deps.bus.clone(), relay_stop.clone());
    let relaying = tokio::spawn(relaying);
    let holds = Arc::new(BillingHolds::new(billing, config.token.clone()));
    let catalogue = app::Catalogue::connect(&config.database, deps.clock.clone())
        .context("the database URL of distribution cannot be read")?;
    let app = app::App::new(pool.clone(), relay, deps.bus.clone(), deps.clock, holds)
        .masking_after(config.retention_days)
        .recognising_by(&config.token.derive_keys(ERASURE_PURPOSE));

    let consume = |stream, consumer, handler: Arc<dyn BatchHandler>| {
        let settings = ConsumerSettings { stream, consumer, max_batch: config.max_batch, pace: Duration::ZERO };
        tokio::spawn(consumer::run(deps.bus.clone(), settings, handler, shutdown.clone()))
    };
    let working = [
        consume(streams::LEADS, streams::LEADS_DISTRIBUTION, Arc::new(LeadEvents::new(app.clone()))),
        consume(streams::DIRECTORY, streams::DIRECTORY_DISTRIBUTION, Arc::new(DirectoryEvents::new(app.clone()))),
        consume(streams::BILLING, streams::BILLING_DISTRIBUTION, Arc::new(WalletEvents::new(app.clone()))),
        consume(streams::NOTIFY, streams::NOTIFY_DISTRIBUTION, Arc::new(Refusals::new(app.clone()))),
        tokio::spawn(leadflow_platform::metrics::watch(pool.clone(), SCHEMA, metrics::SAMPLES, shutdown.clone())),
        tokio::spawn(workers::retry(app.clone(), shutdown.clone())),
        tokio::spawn(workers::expiry(app.clone(), shutdown.clone())),
        tokio::spawn(workers::retention(app.clone(), shutdown.clone())),
        tokio::spawn(workers::erasures(app.clone(), shutdown.clone())),
        tokio::spawn(workers::new_days(app.clone(), shutdown.clone())),
        tokio::spawn(workers::months(app.clone(), shutdown.clone())),
        tokio::spawn(workers::everything(app.clone(), config.retry_everything_every, shutdown.clone())),
    ];

    let bus = deps.bus.clone();
    let health = Health::new("distribution").with_database(pool.clone()).with("nats", move || {
        let connected = bus.is_connected();
        async move { if connected { Ok(()) } else { Err("cannot be reached".to_owned()) } }
    });
    let mut routes = grpc::builder().context("reflection")?;
    let service = inbound::returns::ReturnsService::new(app.clone(), catalogue.clone());
    routes.add_service(ReturnsServer::with_interceptor(service, grpc::guard(&config.token)));
    let service = inbound::privacy::PrivacyService::new(app.clone());
    routes.add_service(PrivacyServer::with_interceptor(service, grpc::guard(&config.token)));
    let service = inbound::grpc::Service::new(app);
    routes.add_service(DistributionServer::with_interceptor(service, grpc::guard(&config.token)));
    let service = inbound::catalogue::CatalogueService::new(catalogue.clone());
    routes.add_service(CatalogueServer::with_interceptor(service, grpc::guard(&config.token)));
    routes.add_service(audit::server(pool.clone(), SCHEMA, TENANT_ROLE, &config.token));
    let served = tokio::try_join!(
        async { grpc::serve(listeners.grpc, routes, shutdown.clone()).await.context("gRPC server of distribution") },
        async {
            let router = http::request_id(health.router(&shutdown));
            http::serve(listeners.http, router, shutdown.clone()).await.context("HTTP server of distribution")
        },
    );
    // A listener that failed stops the rest too.
    shutdown.cancel();
    for work in working {
        work.await.context("a worker of distribution ended badly")?;
    }
    relay_stop.cancel();
    relaying.await.context("the relay of distribution ended badly")?;
    catalogue.close().await;
    pool.close().await;
    served.map(|_| ())
}
