//! Brings every service's schema up to date and gives each service a role with rights on its own
//! schema only.

use std::str::FromStr as _;

use anyhow::{Context as _, ensure};
use leadflow_platform::{Env, db::DbSettings, settings};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, migrate::Migrator, postgres::PgConnectOptions,
};

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
const RIGHTS_TRIES: u32 = 5;

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

/// Migrates one schema. Safe to run twice and at once.
///
/// # Errors
/// When the database cannot be reached or a migration fails; the text names the schema.
pub async fn migrate(schema: &Schema) -> anyhow::Result<()> {
    let mut connection = connect(&schema.database).await?;
    sqlx::query(LOCK).execute(&mut connection).await.context("lock the migrations")?;
    schema.migrator.run(&mut connection).await.with_context(|| format!("migrate schema {}", schema.name))?;
    let mut tries = 1;
    // Roles belong to the whole server, the lock to one database: another one's migration may
    // touch the same catalogue row.
    while let Err(error) = rights(&mut connection, schema).await {
        if tries == RIGHTS_TRIES || !is_collision(&error) {
            return Err(error).with_context(|| format!("give {} its rights", schema.role));
        }
        tries += 1;
    }
    // The lock ends with the session.
    connection.close().await?;
    Ok(())
}

/// How many migrations this program has that the schema has not; `None` if the schema is newer or
/// its history differs.
///
/// # Errors
/// When the database cannot be reached.
pub async fn missing(schema: &Schema) -> anyhow::Result<Option<usize>> {
    let mut connection = connect(&schema.database).await?;
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(schema.migrator.table_name.as_ref())
        .fetch_one(&mut connection)
        .await?;
    let applied: Vec<(i64, bool, Vec<u8>)> = if exists {
        sqlx::query_as(AssertSqlSafe(format!("SELECT version, success, checksum FROM {}", schema.migrator.table_name)))
            .fetch_all(&mut connection)
            .await?
    } else {
        Vec::new()
    };
    connection.close().await?;
    let known: Vec<_> = schema.migrator.iter().map(|m| (m.version, m.checksum.to_vec())).collect();
    let all_known = applied
        .iter()
        .all(|(version, success, checksum)| *success && known.iter().any(|(v, sum)| v == version && sum == checksum));
    Ok(all_known.then(|| known.len().saturating_sub(applied.len())))
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
