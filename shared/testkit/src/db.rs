//! A database per test.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Mutex;

use crate::TestServers;

/// Names of the migrated templates of this process. Held while one is made, so each is made once.
static TEMPLATES: Mutex<Option<HashMap<u64, String>>> = Mutex::const_new(None);
static NEXT: AtomicU32 = AtomicU32::new(0);
/// A test opens few connections, but many tests run at once.
const POOL_SIZE: u32 = 16;

/// A throw-away database, migrated, owned by a superuser; dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    name: String,
    options: PgConnectOptions,
    server: PgConnectOptions,
    pool: PgPool,
}

impl TestDb {
    /// Makes one with these migrations. They run once per process and set; after that a database is
    /// a copy.
    ///
    /// # Errors
    /// When the shared PostgreSQL does not start, or a migration fails.
    pub async fn create(migrators: &[&Migrator]) -> anyhow::Result<Self> {
        let servers = TestServers::shared().await?;
        let server = PgConnectOptions::from_str(servers.database_url())
            .context("LEADFLOW_TEST_DATABASE_URL")?
            .disable_statement_logging();
        let template = template(&server, migrators).await?;
        let name = unique_name("test");
        create_database(&server, &name, Some(&template)).await?;
        let options = server.clone().database(&name);
        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .acquire_timeout(Duration::from_secs(30))
            .connect_lazy_with(options.clone());
        Ok(Self { name, options, server, pool })
    }

    /// Its URL, as a superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Connections to it, made as they are needed.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }
}

async fn template(server: &PgConnectOptions, migrators: &[&Migrator]) -> anyhow::Result<String> {
    let key = key(migrators);
    let mut templates = TEMPLATES.lock().await;
    let templates = templates.get_or_insert_default();
    if let Some(name) = templates.get(&key) {
        return Ok(name.clone());
    }
    let name = unique_name("template");
    create_database(server, &name, None).await?;
    let mut connection = PgConnection::connect_with(&server.clone().database(&name)).await.context("connect")?;
    for migrator in migrators {
        migrator.run(&mut connection).await.with_context(|| format!("migrate ({})", migrator.table_name))?;
    }
    // A template with a session in it cannot be copied.
    connection.close().await?;
    templates.insert(key, name.clone());
    Ok(name)
}

fn key(migrators: &[&Migrator]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for migrator in migrators {
        migrator.table_name.hash(&mut hasher);
        for migration in migrator.iter() {
            migration.version.hash(&mut hasher);
            migration.checksum.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Lower case, digits and underscores: needs no quotes.
fn unique_name(kind: &str) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("leadflow_{kind}_{}_{number}_{:08x}", std::process::id(), rand::random::<u32>())
}

async fn create_database(server: &PgConnectOptions, name: &str, template: Option<&str>) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(server).await.context("connect")?;
    let template = template.map(|name| format!(" TEMPLATE {name}")).unwrap_or_default();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}{template}")))
        .execute(&mut connection)
        .await
        .context("create a database")?;
    connection.close().await?;
    Ok(())
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let server = self.server.clone();
        let name = std::mem::take(&mut self.name);
        // A thread with its own runtime: the test's may be ending.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect_with(&server).await?;
                // FORCE ends the sessions that the test left open.
                sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
                    .execute(&mut connection)
                    .await?;
                connection.close().await?;
                anyhow::Ok(())
            })
        });
        // If it fails, the database goes with the server.
        let _ = dropper.join();
    }
}
