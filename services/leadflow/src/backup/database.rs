//! The part of a backup that lies in PostgreSQL: standing still for a moment, snapshots, and copies of them.

use std::{
    path::Path,
    str::FromStr as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use super::programs::{self, APPLICATION};
use crate::migrate::{Schema, is_busy};

/// Who waits for a lock holds up all that come after: not for long, and rather again.
const LOCK_TIMEOUT_MS: u32 = 500;
const LOCK_TRIES: u32 = 60;
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

/// A database, with the schemas that are in it.
pub struct Server {
    pub(super) url: String,
    /// Their names.
    pub schemas: Vec<&'static str>,
}

/// How long things stood still.
pub struct Stood {
    /// For how long the locks were waited for.
    pub waited: Duration,
    /// For how long they were held.
    pub held: Duration,
}

/// A moment of a database, for as long as the connection stands.
pub struct Snapshot {
    /// As PostgreSQL calls it.
    pub id: String,
    connection: PgConnection,
}

/// The databases of these schemas, each once.
pub fn servers(schemas: &[Schema]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for schema in schemas {
        match servers.iter_mut().find(|server| server.url == schema.database.url) {
            Some(server) => server.schemas.push(schema.name),
            None => servers.push(Server { url: schema.database.url.clone(), schemas: vec![schema.name] }),
        }
    }
    servers
}

/// Does `look` while no event becomes true, and none is taken out of an outbox because it was published.
///
/// # Errors
/// When a database cannot be reached, its tables were too busy for a quarter of a minute, or a lock was lost before its time. Those of `look`.
pub async fn while_events_stand<T>(
    servers: &[Server],
    look: impl AsyncFnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Stood)> {
    let began = Instant::now();
    let locks = lock_outboxes(servers).await?;
    let waited = began.elapsed();
    let seen = look().await?;
    let_go(locks).await?;
    Ok((seen, Stood { waited, held: began.elapsed().saturating_sub(waited) }))
}

/// Locks all outboxes. The connections hold the locks.
async fn lock_outboxes(servers: &[Server]) -> anyhow::Result<Vec<PgConnection>> {
    for tries in 1.. {
        match try_to_lock(servers).await {
            Ok(locks) => return Ok(locks),
            Err(error) if tries < LOCK_TRIES && error.downcast_ref().is_some_and(is_busy) => {
                tokio::time::sleep(BETWEEN_TRIES).await
            }
            Err(error) => return Err(error).context("lock the outboxes"),
        }
    }
    unreachable!("the loop only ends by returning")
}

async fn try_to_lock(servers: &[Server]) -> anyhow::Result<Vec<PgConnection>> {
    let mut locks = Vec::new();
    for server in servers {
        let mut connection = server.connect().await?;
        let outboxes: Vec<String> = server.schemas.iter().map(|schema| format!("{schema}.outbox")).collect();
        let lock = format!(
            "BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; LOCK TABLE {} IN SHARE MODE",
            outboxes.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await?;
        locks.push(connection);
    }
    Ok(locks)
}

/// The moment of now, of each database.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn snapshots(servers: &[Server]) -> anyhow::Result<Vec<Snapshot>> {
    let mut snapshots = Vec::new();
    for server in servers {
        let mut connection = server.connect().await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut connection).await?;
        let id = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut connection).await?;
        snapshots.push(Snapshot { id, connection });
    }
    Ok(snapshots)
}

async fn let_go(locks: Vec<PgConnection>) -> anyhow::Result<()> {
    for mut connection in locks {
        sqlx::raw_sql("COMMIT").execute(&mut connection).await.context("the outboxes' locks were lost")?;
        connection.close().await?;
    }
    Ok(())
}

/// Ends the snapshots.
///
/// # Errors
/// Those of PostgreSQL: a snapshot that was lost was not copied whole.
pub async fn forget(snapshots: Vec<Snapshot>) -> anyhow::Result<()> {
    for mut snapshot in snapshots {
        sqlx::raw_sql("COMMIT").execute(&mut snapshot.connection).await.context("a snapshot was lost")?;
        snapshot.connection.close().await?;
    }
    Ok(())
}

impl Server {
    async fn connect(&self) -> anyhow::Result<PgConnection> {
        let options = PgConnectOptions::from_str(&self.url)
            .context("the database URL cannot be read")?
            .application_name(APPLICATION)
            .disable_statement_logging();
        PgConnection::connect_with(&options).await.context("cannot reach PostgreSQL (setting DATABASE_URL)")
    }

    /// Copies a schema as the snapshot shows it.
    ///
    /// # Errors
    /// When `pg_dump` is not there or fails; the text has its words.
    pub async fn dump(&self, schema: &str, snapshot: &str, file: &Path) -> anyhow::Result<()> {
        let mut command = programs::program("pg_dump", &self.url)?;
        command.args(["--format=custom", "--schema", schema, "--snapshot", snapshot, "--file"]);
        programs::run(command.arg(file), "pg_dump").await
    }

    /// Whether the schemas are not there yet.
    ///
    /// # Errors
    /// When one is, naming it.
    pub async fn check_empty(&self) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let names: Vec<String> = self.schemas.iter().map(|&name| name.to_owned()).collect();
        let there: Vec<String> =
            sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname = ANY($1) ORDER BY 1")
                .bind(names)
                .fetch_all(&mut connection)
                .await?;
        connection.close().await?;
        ensure!(
            there.is_empty(),
            "the database has these schemas already: {}. Restore into an empty database",
            there.join(", ")
        );
        Ok(())
    }

    /// Makes a schema again, all of it or nothing.
    ///
    /// # Errors
    /// When `pg_restore` is not there or fails; the text has its words.
    pub async fn restore(&self, schema: &str, file: &Path) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        for role in [format!("leadflow_{schema}"), format!("leadflow_{schema}_tenant")] {
            let make = format!(
                "DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            );
            sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await?;
        }
        connection.close().await?;
        let mut command = programs::program("pg_restore", &self.url)?;
        command.args(["--no-owner", "--exit-on-error", "--single-transaction"]);
        programs::run(command.arg(file), "pg_restore").await
    }
}
