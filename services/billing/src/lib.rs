//! Money: wallets, holds, and a double-entry ledger. Prices of leads are reserved over gRPC before a
//! lead is sold, and taken when `lead.assigned` says that it was.

pub mod app;
mod card_payments;
pub mod config;
pub mod export;
pub mod inbound;
mod metrics;
pub mod outbound;
mod store;
pub mod workers;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::TimeDelta;
use leadflow_contracts::{
    billing::{
        billing_server::BillingServer, ledger_server::LedgerServer, payments_server::PaymentsServer,
        usage_server::UsageServer,
    },
    streams,
};
use leadflow_kernel::Clock;
use leadflow_messaging::{
    Bus,
    consumer::{self, BatchHandler, ConsumerSettings},
    outbox::{Outbox, Relay},
};
use leadflow_platform::{
    Health, Shutdown, audit,
    db::{self, DbSettings},
    grpc, http,
};
use sqlx::PgPool;
use tokio::net::TcpListener;

pub use config::Config;

use crate::{
    card_payments::CardPayments,
    inbound::{
        directory_events::DirectoryEvents, lead_events::LeadEvents, ledger_grpc::LedgerService,
        usage_events::UsageEvents, usage_grpc::UsageService, wallet_events::WalletEvents,
    },
    outbound::assignments::Distribution,
    workers::release::Releaser,
};

/// The service's schema.
pub const SCHEMA: &str = "billing";
/// The role that the service takes on its connections.
pub const ROLE: &str = "leadflow_billing";
/// The role that its transactions for one tenant take instead.
pub const TENANT_ROLE: &str = "leadflow_billing_tenant";
/// The schema's history.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Nobody waits for captures, and what a batch costs hardly depends on its size: a few large ones leave more
/// of the machine to those that somebody waits for.
const CAPTURE_PACE: Duration = Duration::from_millis(150);
/// The same, for counting messages: a month is a long time.
const USAGE_PACE: Duration = Duration::from_millis(500);
/// Messages counted in one statement at most.
const USAGE_BATCH: usize = 1_024;

/// Waits are shorter than the callers' deadlines, so that no transaction waits for somebody who has left.
const TUNING: [(&str, &str); 2] = [("lock_timeout", "2500ms"), ("statement_timeout", "5s")];

/// A pool of connections as this service wants them.
///
/// # Errors
/// When the URL cannot be read.
pub fn connect(settings: &DbSettings) -> Result<PgPool, sqlx::Error> {
    db::connect_tuned(settings, &TUNING)
}

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
    let pool = connect(&config.database).context("the database URL of billing cannot be read")?;
    let distribution = grpc::channel(&config.distribution_url, "DISTRIBUTION_GRPC_URL")?;
    let release_after = TimeDelta::from_std(config.release_after).context("BILLING_RELEASE_AFTER_SECONDS")?;
    // The relay outlives everything else: the last call's event is published too.
    let relay_stop = Shutdown::new();
    let (relay, relaying) = Relay::new(Outbox::new(SCHEMA), pool.clone(), deps.bus.clone(), relay_stop.clone());
    let relaying = tokio::spawn(relaying);
    let usage = app::usage::Usage::new(pool.clone(), deps.clock.clone(), &config.usage_costs);
    let billing = app::Billing::new(pool.clone(), relay, deps.clock);

    metrics::begin();
    let consume = |stream, consumer, handler: Arc<dyn BatchHandler>| {
        let settings = ConsumerSettings { stream, consumer, max_batch: config.max_batch, pace: CAPTURE_PACE };
        tokio::spawn(consumer::run(deps.bus.clone(), settings, handler, shutdown.clone()))
    };
    let card_payments = CardPayments::new(&config, &billing)?;
    let mut working = vec![
        consume(streams::LEADS, streams::LEADS_BILLING, Arc::new(LeadEvents::new(billing.clone()))),
        consume(streams::DIRECTORY, streams::DIRECTORY_BILLING, Arc::new(DirectoryEvents::new(billing.clone()))),
        consume(
            streams::BILLING,
            streams::BILLING_BILLING,
            Arc::new(WalletEvents::new(card_payments.payments.clone())),
        ),
        tokio::spawn(consumer::run(
            deps.bus.clone(),
            ConsumerSettings {
                stream: streams::NOTIFY,
                consumer: streams::NOTIFY_BILLING,
                max_batch: USAGE_BATCH,
                pace: USAGE_PACE,
            },
            Arc::new(UsageEvents::new(usage.clone())),
            shutdown.clone(),
        )),
        tokio::spawn(leadflow_platform::metrics::watch(pool.clone(), SCHEMA, metrics::SAMPLES, shutdown.clone())),
        tokio::spawn(workers::usage::run(usage.clone(), config.usage_every, shutdown.clone())),
        tokio::spawn({
            let assignments = Distribution::new(distribution, grpc::Caller::new(config.token.clone()));
            Releaser::new(billing.clone(), Arc::new(assignments), release_after)
                .run(config.release_every, shutdown.clone())
        }),
    ];
    working.extend(card_payments.work(&config, &shutdown)?);

    let bus = deps.bus.clone();
    let health = Health::new("billing").with_database(pool.clone()).with("nats", move || {
        let connected = bus.is_connected();
        async move { if connected { Ok(()) } else { Err("cannot be reached".to_owned()) } }
    });
    let mut routes = grpc::builder().context("reflection")?;
    routes
        .add_service(BillingServer::with_interceptor(inbound::grpc::Service::new(billing), grpc::guard(&config.token)));
    routes.add_service(UsageServer::with_interceptor(UsageService::new(usage), grpc::guard(&config.token)));
    routes.add_service(PaymentsServer::with_interceptor(card_payments.service(&config), grpc::guard(&config.token)));
    let ledger = LedgerService::new(db::Tenants::new(pool.clone(), TENANT_ROLE), shutdown.clone());
    routes.add_service(LedgerServer::with_interceptor(ledger, grpc::guard(&config.token)));
    routes.add_service(audit::server(pool.clone(), SCHEMA, TENANT_ROLE, &config.token));
    let served = tokio::try_join!(
        async { grpc::serve(listeners.grpc, routes, shutdown.clone()).await.context("gRPC server of billing") },
        async {
            let router = http::request_id(health.router(&shutdown));
            http::serve(listeners.http, router, shutdown.clone()).await.context("HTTP server of billing")
        },
    );
    // A listener that failed stops the rest too.
    shutdown.cancel();
    for work in working {
        work.await.context("a worker of billing ended badly")?;
    }
    relay_stop.cancel();
    relaying.await.context("the relay of billing ended badly")?;
    pool.close().await;
    served.map(|_| ())
}
