//! The PostgreSQL that all tests of one process share.

use std::env;

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::{
    TempDir,
    guard::{self, Server},
    servers::{Postgres, PostgresOptions},
};

static SHARED: OnceCell<TestServers> = OnceCell::const_new();

/// Servers for the tests of this process: started by the first test that asks, ended with the
/// process however it ends. `LEADFLOW_TEST_DATABASE_URL` (a superuser's) names one to use instead.
/// NATS is not shared: see [`TestNats`](crate::TestNats).
#[derive(Debug)]
pub struct TestServers {
    database_url: String,
    _own: Option<(Postgres, TempDir)>,
}

impl TestServers {
    /// The servers, started if need be (under a second).
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub async fn shared() -> anyhow::Result<&'static Self> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// A superuser's URL; its database is for making others.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    async fn start() -> anyhow::Result<Self> {
        if let Some(url) = env::var("LEADFLOW_TEST_DATABASE_URL").ok().filter(|url| !url.is_empty()) {
            return Ok(Self { database_url: url, _own: None });
        }
        let folder = TempDir::new("pg").context("make a folder for PostgreSQL")?;
        let options = PostgresOptions {
            fsync: false,
            max_connections: 400,
            log: Some(folder.path().join("postgres.log")),
            ..PostgresOptions::new(folder.path().join("data"))
        };
        let server = Postgres::start(options).await?;
        if let Some(pid) = server.pid() {
            guard::process(Server::Postgres, pid).context("watch over PostgreSQL")?;
        }
        Ok(Self { database_url: server.url(), _own: Some((server, folder)) })
    }
}
