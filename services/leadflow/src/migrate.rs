//! Brings every service's schema up to date and gives each service a role with rights on its own
//! schema only.

use std::{
    error::Error as StdError,
    str::FromStr as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use leadflow_platform::{Env, db::DbSettings, settings};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    error::DatabaseError,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use crate::say::say;

/// A schema and who works on it.
pub struct Schema {
    /// Its name.
    pub name: &'static str,
    /// The role of its service.
    pub role: &'static str,
    /// The role of the service's transactions for one tenant.
    pub tenant_role: &'static str,
    /// Its history.
    pub migrator: &'static Migrator,
    /// Where it is.
    pub database: DbSettings,
}

/// Reads where every service's schema is; problems are collected in `env`.
pub fn schemas(env: &mut Env) -> Vec<Schema> {
    vec![
        Schema {
            name: leadflow_accounts::SCHEMA,
            role: leadflow_accounts::ROLE,
            tenant_role: leadflow_accounts::TENANT_ROLE,
            migrator: &leadflow_accounts::MIGRATOR,
            database: settings::database(env, "ACCOUNTS_DATABASE_URL", leadflow_accounts::ROLE, APPLICATION),
        },
        Schema {
            name: leadflow_billing::SCHEMA,
            role: leadflow_billing::ROLE,
            tenant_role: leadflow_billing::TENANT_ROLE,
            migrator: &leadflow_billing::MIGRATOR,
            database: settings::database(env, "BILLING_DATABASE_URL", leadflow_billing::ROLE, APPLICATION),
        },
        Schema {
            name: leadflow_distribution::SCHEMA,
            role: leadflow_distribution::ROLE,
            tenant_role: leadflow_distribution::TENANT_ROLE,
            migrator: &leadflow_distribution::MIGRATOR,
            database: settings::database(env, "DISTRIBUTION_DATABASE_URL", leadflow_distribution::ROLE, APPLICATION),
        },
        Schema {
            name: leadflow_notifier::SCHEMA,
            role: leadflow_notifier::ROLE,
            tenant_role: leadflow_notifier::TENANT_ROLE,
            migrator: &leadflow_notifier::MIGRATOR,
            database: settings::database(env, "NOTIFIER_DATABASE_URL", leadflow_notifier::ROLE, APPLICATION),
        },
    ]
}

/// As PostgreSQL shows the connection.
const APPLICATION: &str = "leadflow-migrate";
/// One lock for the whole of a schema's migration, roles included: sqlx's own covers only its part.
const LOCK: &str = "SELECT pg_advisory_lock(hashtextextended('leadflow migrate', 0))";
/// Shorter than PostgreSQL's `deadlock_timeout` (1 s): where a service and a migration wait for each other, the migration gives way. And
/// whoever comes after the migration waits for no longer than this.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '300ms'";
/// For how long a migration whose tables are in use is tried again.
const BUSY_FOR: Duration = Duration::from_secs(300);
const BETWEEN_TRIES: Duration = Duration::from_millis(250);
const SAID_EVERY: Duration = Duration::from_secs(10);
const RIGHTS_TRIES: u32 = 5;
/// Partitions made ahead, as services do, too.
const MONTHS_AHEAD: u32 = 3;

/// Whether the roles of these schemas are there or can be made: asked before anything is migrated.
///
/// # Errors
/// When a database cannot be reached, or an administrator has to make roles first; the text says which.
pub async fn check_roles(schemas: &[Schema]) -> anyhow::Result<()> {
    let mut wanted = Vec::new();
    for schema in schemas {
        let mut connection = connect(&schema.database).await?;
        let may_make: bool =
            sqlx::query_scalar("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&mut connection)
                .await?;
        if !may_make {
            wanted.extend(roles_not_taken(&mut connection, schema).await?);
        }
        connection.close().await?;
    }
    ensure!(
        wanted.is_empty(),
        "this login may not make the roles that services take; an administrator must say once: {}",
        wanted.join(" ")
    );
    Ok(())
}

/// What became of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrated {
    /// It has every migration of this program.
    UpToDate,
    /// It has these and more, of a later release. Nothing was done: schemas are never taken back, and this release bears what
    /// the next one adds.
    Newer,
}

/// Migrates one schema. Safe to run twice and at once, and while services work on it: a migration whose tables are in use is taken
/// back, and tried again a moment later.
///
/// # Errors
/// When the database cannot be reached, a migration fails, or its tables are in use for five minutes; the text names the schema.
pub async fn migrate(schema: &Schema) -> anyhow::Result<Migrated> {
    let mut connection = connect(&schema.database).await?;
    sqlx::query(LOCK).execute(&mut connection).await.context("lock the migrations")?;
    if is_newer(schema, &history(&mut connection, schema).await?) {
        connection.close().await?;
        return Ok(Migrated::Newer);
    }
    sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut connection).await.context("limit how long locks are waited for")?;
    run(&mut connection, schema).await?;
    sqlx::raw_sql("RESET lock_timeout").execute(&mut connection).await?;
    let mut tries = 1;
    // Roles belong to the whole server, the lock to one database: another one's migration may
    // touch the same catalogue row.
    while let Err(error) = rights(&mut connection, schema).await {
        if tries == RIGHTS_TRIES || !is_collision(&error) {
            return Err(error).with_context(|| format!("give {} its rights", schema.role));
        }
        tries += 1;
    }
    months(&mut connection, schema).await.with_context(|| format!("make the partitions of schema {}", schema.name))?;
    // The lock ends with the session.
    connection.close().await?;
    Ok(Migrated::UpToDate)
}

/// Runs what is missing. Each migration is a transaction that also writes the history, so one that gave way is as if it had not been tried.
async fn run(connection: &mut PgConnection, schema: &Schema) -> anyhow::Result<()> {
    let name = schema.name;
    let begun = Instant::now();
    let mut said = begun;
    loop {
        match schema.migrator.run(&mut *connection).await {
            Err(error) if gave_way(&error) => {
                if begun.elapsed() >= BUSY_FOR {
                    let advice = "its tables are in use by transactions that do not end; \
                                  look for old ones in pg_stat_activity, end them, and run leadflow migrate again";
                    return Err(error).with_context(|| format!("migrate schema {name}: {advice}"));
                }
                if said.elapsed() >= SAID_EVERY {
                    say!("{name}: waits for tables that are in use ({} s)", begun.elapsed().as_secs());
                    said = Instant::now();
                }
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            other => return other.with_context(|| format!("migrate schema {name}")),
        }
    }
}

/// Whether it failed only because it would have had to wait for others.
fn gave_way(error: &MigrateError) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<sqlx::Error>() {
            return is_busy(error);
        }
        cause = error.source();
    }
    false
}

/// Somebody held a lock for longer than was waited, or the two waited for each other.
pub fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

/// Makes the partitions by month that are missing, where there are any. Not in time if the tables are too busy for it now: what lacks one lies in the
/// last partition meanwhile, and the service tries again.
async fn months(connection: &mut PgConnection, schema: &Schema) -> Result<(), sqlx::Error> {
    if !has_months(connection, schema).await? {
        return Ok(());
    }
    let make = format!("SELECT {}.make_months(now(), {MONTHS_AHEAD})", schema.name);
    match sqlx::query(AssertSqlSafe(make)).execute(connection).await {
        Err(error) if is_busy(&error) => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn has_months(connection: &mut PgConnection, schema: &Schema) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regprocedure($1) IS NOT NULL")
        .bind(format!("{}.make_months(timestamptz, integer)", schema.name))
        .fetch_one(connection)
        .await
}

/// Whether this month and the next lack a partition; `None` where nothing is partitioned by month.
///
/// # Errors
/// When the database cannot be reached.
pub async fn missing_months(schema: &Schema) -> anyhow::Result<Option<bool>> {
    let mut connection = connect(&schema.database).await?;
    let missing = if has_months(&mut connection, schema).await? {
        let ask = format!("SELECT EXISTS (SELECT FROM {}.missing_months(now(), 1))", schema.name);
        Some(sqlx::query_scalar(AssertSqlSafe(ask)).fetch_one(&mut connection).await?)
    } else {
        None
    };
    connection.close().await?;
    Ok(missing)
}

/// How many migrations this program has that the schema has not; `None` if the schema is newer or
/// its history differs.
///
/// # Errors
/// When the database cannot be reached.
pub async fn missing(schema: &Schema) -> anyhow::Result<Option<usize>> {
    let mut connection = connect(&schema.database).await?;
    let applied = history(&mut connection, schema).await?;
    connection.close().await?;
    let all_known = applied.iter().all(|one| one.success && is_known(schema, one));
    Ok(all_known.then(|| schema.migrator.iter().count().saturating_sub(applied.len())))
}

/// A line of a schema's history.
#[derive(sqlx::FromRow)]
struct Applied {
    version: i64,
    success: bool,
    checksum: Vec<u8>,
}

/// The schema's history; none before its first migration.
async fn history(connection: &mut PgConnection, schema: &Schema) -> Result<Vec<Applied>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(schema.migrator.table_name.as_ref())
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let all = format!("SELECT version, success, checksum FROM {}", schema.migrator.table_name);
    sqlx::query_as(AssertSqlSafe(all)).fetch_all(connection).await
}

fn is_known(schema: &Schema, applied: &Applied) -> bool {
    schema.migrator.iter().any(|one| one.version == applied.version && *one.checksum == *applied.checksum)
}

/// Whether the schema has every migration of this program, and others behind them.
fn is_newer(schema: &Schema, applied: &[Applied]) -> bool {
    let known = applied.iter().filter(|one| is_known(schema, one)).count();
    known == schema.migrator.iter().count() && known < applied.len() && applied.iter().all(|one| one.success)
}

/// As statements for an administrator: which of the schema's roles the login cannot take now.
async fn roles_not_taken(connection: &mut PgConnection, schema: &Schema) -> Result<Vec<String>, sqlx::Error> {
    let mut statements = Vec::new();
    for role in [schema.role, schema.tenant_role] {
        let (login, exists): (String, bool) =
            sqlx::query_as("SELECT quote_ident(current_user), EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                .bind(role)
                .fetch_one(&mut *connection)
                .await?;
        if !exists {
            statements.push(format!("CREATE ROLE {role} NOLOGIN;"));
        }
        let taken = exists
            && sqlx::query_scalar(
                "SELECT pg_has_role(current_user, $1, \
                   CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)",
            )
            .bind(role)
            .fetch_one(&mut *connection)
            .await?;
        if !taken {
            statements.push(format!("GRANT {role} TO {login};"));
        }
    }
    Ok(statements)
}

/// What an administrator must say before the service can take its roles; nothing when all is well.
///
/// # Errors
/// When the database cannot be reached.
pub async fn missing_rights(schema: &Schema) -> anyhow::Result<Vec<String>> {
    let mut connection = connect(&schema.database).await?;
    let statements = roles_not_taken(&mut connection, schema).await?;
    connection.close().await?;
    Ok(statements)
}

async fn connect(database: &DbSettings) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::from_str(&database.url)
        .context("the database URL cannot be read")?
        .application_name(APPLICATION)
        .disable_statement_logging();
    PgConnection::connect_with(&options).await.context("cannot reach PostgreSQL (setting DATABASE_URL)")
}

async fn rights(connection: &mut PgConnection, schema: &Schema) -> Result<(), sqlx::Error> {
    let Schema { name, role, tenant_role, .. } = schema;
    let history = &schema.migrator.table_name;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(format!(
        // The migrations have made the roles. From version 16 on, who made one is a member who may not take it.
        "DO $$
         DECLARE
           wanted text;
         BEGIN
           FOREACH wanted IN ARRAY ARRAY['{role}', '{tenant_role}'] LOOP
             IF current_setting('server_version_num')::int >= 160000 THEN
               IF NOT pg_has_role(current_user, wanted, 'SET') THEN
                 EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', wanted, current_user);
               END IF;
             ELSIF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
               EXECUTE format('GRANT %I TO %I', wanted, current_user);
             END IF;
           END LOOP;
         END $$;
         GRANT USAGE ON SCHEMA {name} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role};
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {name} TO {role};
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {name} TO {role};
         REVOKE INSERT, UPDATE, DELETE ON {history} FROM {role};"
    )))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// "tuple concurrently updated" has no code of its own.
fn is_collision(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("XX000") && error.message().contains("concurrently"))
}
