//! Who takes part: sellers (tenants), their buyers, their suppliers and the suppliers' API keys; and the people who
//! sign in for them.
//! Commands come over gRPC; every change is told as a `DIRECTORY` event.

pub mod app;
pub mod config;
mod hashing;
pub mod inbound;
pub mod outbound;
mod store;
mod wire;
pub mod workers;

use std::sync::Arc;

use anyhow::Context as _;
use leadflow_accounts_domain::PasswordRules;
use leadflow_contracts::accounts::{accounts_server::AccountsServer, people_server::PeopleServer};
use leadflow_kernel::Clock;
use leadflow_messaging::{
    Bus,
    outbox::{Outbox, Relay},
};
use leadflow_platform::{Health, Shutdown, audit, db, grpc, http, metrics};
use tokio::net::TcpListener;

pub use config::Config;

use crate::outbound::google::Google;

/// The service's schema.
pub const SCHEMA: &str = "accounts";
/// The role that the service takes on its connections.
pub const ROLE: &str = "leadflow_accounts";
/// The role that its transactions for one tenant take instead.
pub const TENANT_ROLE: &str = "leadflow_accounts_tenant";
/// The schema's history.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// What the service is given.
pub struct Deps {
    /// Where its events go.
    pub bus: Bus,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Where it listens; both are bound already.
pub struct Listeners {
    /// Commands.
    pub grpc: TcpListener,
    /// `/healthz` and `/readyz`.
    pub http: TcpListener,
}

/// Serves until `shutdown`, finishes the calls at hand and publishes their events.
///
/// # Errors
/// When the settings cannot be used or a listener fails for good.
pub async fn run(config: Config, deps: Deps, listeners: Listeners, shutdown: Shutdown) -> anyhow::Result<()> {
    let pool = db::connect(&config.database).context("the database URL of accounts cannot be read")?;
    // What works beside the servers outlives them: the last call's event is published too.
    let background_stop = Shutdown::new();
    let (relay, relaying) = Relay::new(Outbox::new(SCHEMA), pool.clone(), deps.bus.clone(), background_stop.clone());
    let relaying = tokio::spawn(relaying);
    let bus = deps.bus.clone();
    let health = Health::new("accounts").with_database(pool.clone()).with("nats", move || {
        let connected = bus.is_connected();
        async move { if connected { Ok(()) } else { Err("cannot be reached".to_owned()) } }
    });
    let accounts = app::Accounts::new(pool.clone(), relay.clone(), Arc::clone(&deps.clock));
    let service = inbound::grpc::Service::new(accounts.clone());
    // Argon2 keeps a core busy: more at once than there are would only take longer each.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let tools = app::people::Tools {
        pool: pool.clone(),
        relay,
        clock: Arc::clone(&deps.clock),
        hasher: hashing::Hasher::new(cores).context("the hasher of passwords")?,
        sealer: outbound::mail::Sealer::new(&config.token),
        google: config.google.map(Google::new).transpose().context("the HTTP client for Google")?,
    };
    if config.people.passwords == PasswordRules::Demo {
        tracing::warn!("PASSWORD_RULES=demo: passwords that are guessed first are taken");
    }
    let people = app::people::People::new(tools, config.people);
    let cleaning = tokio::spawn(workers::cleanup::run(pool.clone(), deps.clock, background_stop.clone()));
    let measuring = tokio::spawn(metrics::watch(pool.clone(), SCHEMA, &[], background_stop.clone()));
    let telling = tokio::spawn(workers::contacts::run(accounts.clone(), background_stop.clone()));
    let mut routes = grpc::builder().context("reflection")?;
    routes.add_service(AccountsServer::with_interceptor(service, grpc::guard(&config.token)));
    let people_service = inbound::people::Service::new(people.clone());
    routes.add_service(PeopleServer::with_interceptor(people_service, grpc::guard(&config.token)));
    routes.add_service(audit::server(pool.clone(), SCHEMA, TENANT_ROLE, &config.token));
    let served = tokio::try_join!(
        async { grpc::serve(listeners.grpc, routes, shutdown.clone()).await.context("gRPC server of accounts") },
        async {
            let router = http::request_id(health.router(&shutdown));
            http::serve(listeners.http, router, shutdown.clone()).await.context("HTTP server of accounts")
        },
    );
    people.drain().await;
    background_stop.cancel();
    cleaning.await.context("the cleaning of accounts ended badly")?;
    telling.await.context("the telling of buyers' contacts ended badly")?;
    measuring.await.context("the measuring of accounts ended badly")?;
    relaying.await.context("the relay of accounts ended badly")?;
    pool.close().await;
    served.map(|_| ())
}
