//! The private PostgreSQL and nats-server.

use std::{
    str::FromStr as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use leadflow_messaging::{Bus, BusSettings};
use leadflow_testkit::servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use super::{
    environment,
    layout::Layout,
    settings::LocalSettings,
    state::{self, Started},
};
use crate::say::say;

/// Names of the two, as in file names and messages.
pub const POSTGRES: &str = "postgresql";
/// See [`POSTGRES`].
pub const NATS: &str = "nats";

/// Starts the private PostgreSQL unless it runs, and makes the database.
pub async fn postgres(layout: &Layout, settings: &LocalSettings) -> anyhow::Result<()> {
    let running = state::running(layout, POSTGRES);
    if let Some(started) = &running {
        same_port("PostgreSQL", started.port, settings.postgres_port)?;
    }
    if running.is_none() {
        let begin = Instant::now();
        say!("{POSTGRES}: starting");
        let server = Postgres::start(PostgresOptions {
            port: settings.postgres_port,
            log: Some(layout.log(POSTGRES)),
            ..PostgresOptions::new(layout.data().join(POSTGRES))
        })
        .await?;
        say!(
            "{POSTGRES}: ready, version {}, port {} ({:.1} s)",
            server.version(),
            server.port(),
            begin.elapsed().as_secs_f32()
        );
        let port = server.port();
        let process = server.detach().context("PostgreSQL ended again at once")?;
        state::note(layout, POSTGRES, &Started::new(process, port, String::new()))?;
    }
    create_database(settings.postgres_port).await
}

/// Starts the private nats-server unless it runs. Another `NATS_SYNC` than it runs with restarts it.
pub async fn nats(layout: &Layout, settings: &LocalSettings) -> anyhow::Result<()> {
    let fingerprint = settings.nats_sync.to_string();
    if let Some(started) = state::running(layout, NATS) {
        same_port("nats-server", started.port, settings.nats_port)?;
        let why = if started.fingerprint != fingerprint {
            "NATS_SYNC changed"
        } else if !takes_messages(started.port).await {
            "its streams take no messages"
        } else {
            return Ok(());
        };
        say!("{NATS}: restarting, because {why}");
        super::services::stop(layout, NATS, leadflow_testkit::servers::Signal::Terminate).await;
    }
    let begin = Instant::now();
    say!("{NATS}: starting");
    let server = Nats::start(NatsOptions {
        port: settings.nats_port,
        sync: settings.nats_sync,
        log: Some(layout.log(NATS)),
        ..NatsOptions::new(layout.data().join(NATS))
    })
    .await?;
    say!(
        "{NATS}: ready, version {}, port {}, flushes {} ({:.1} s)",
        server.version(),
        server.port(),
        settings.nats_sync,
        begin.elapsed().as_secs_f32()
    );
    let port = server.port();
    let process = server.detach().context("nats-server ended again at once")?;
    state::note(layout, NATS, &Started::new(process, port, fingerprint))
}

/// A stream that once met a full disk takes nothing more until nats-server is started again.
async fn takes_messages(port: u16) -> bool {
    let settings =
        BusSettings { url: Nats::url_at(port), source: "up".to_owned(), connect_within: Duration::from_secs(3) };
    let Ok(bus) = Bus::connect(&settings).await else { return false };
    let refusing = bus.refusing_streams().await;
    bus.close().await;
    refusing.is_empty()
}

/// Moving a server takes everybody who is connected along: that is for `down` and `up`.
fn same_port(what: &str, runs: u16, wanted: u16) -> anyhow::Result<()> {
    anyhow::ensure!(
        runs == wanted,
        "{what} already runs on port {runs}; to move it to {wanted}, run `make down` first"
    );
    Ok(())
}

async fn create_database(port: u16) -> anyhow::Result<()> {
    let options = PgConnectOptions::from_str(&Postgres::url_at(port))?.disable_statement_logging();
    let mut connection = PgConnection::connect_with(&options)
        .await
        .with_context(|| format!("the private PostgreSQL on port {port} does not answer"))?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(environment::DATABASE)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {}", environment::DATABASE)))
            .execute(&mut connection)
            .await
            .context("create the database")?;
    }
    connection.close().await?;
    Ok(())
}
