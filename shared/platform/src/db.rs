//! The database pool of one service, and transactions that see one tenant only.

mod passing;
mod tenant;

use std::{str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use passing::is_passing;
pub use tenant::{TenantTx, Tenants};

/// How a service reaches its schema.
#[derive(Clone)]
pub struct DbSettings {
    /// A PostgreSQL URL. Holds a password: never logged.
    pub url: String,
    /// The role taken on every connection, so that only the service's own schema can be touched;
    /// `None` in tests of one schema.
    pub role: Option<&'static str>,
    /// The name PostgreSQL shows for these connections.
    pub application: &'static str,
    /// The most connections kept.
    pub max_connections: u32,
}

/// No statement of a service may run longer; the longest wait for a lock is below it.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest wait for a row lock. Above the deadline of the one call made inside a transaction.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// A transaction whose process has gone quiet is rolled back after this, freeing its locks.
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection that has not been used for this long is tried before it is handed out.
const TRIED_AFTER: Duration = Duration::from_secs(1);

/// A pool whose connections have the service's role and time limits. Connects lazily: a database
/// that is away shows in readiness and in errors, and is used again when it returns.
///
/// # Errors
/// When the URL cannot be read.
pub fn connect(settings: &DbSettings) -> Result<PgPool, sqlx::Error> {
    connect_tuned(settings, &[])
}

/// As [`connect`], with more of PostgreSQL's settings for each connection; they override the usual ones.
///
/// # Errors
/// When the URL cannot be read.
pub fn connect_tuned(settings: &DbSettings, tuning: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(&settings.url)?.application_name(settings.application).options([
        ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
        ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT.as_millis().to_string()),
        // Every statement finds its rows by keys in arrays: the plan is the same whatever they are, and
        // making one anew costs more than carrying it out. (Where such keys are joined to a table, the
        // statement also says `key = ANY($n)`, or looks each up in a lateral subquery where the key has two columns,
        // so that the table itself is never read without them.)
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        // A plan made while a table was still empty, and kept by the connection, must not read the whole
        // table once it is full.
        ("enable_seqscan", "off".to_owned()),
        // Compiling a plan takes longer than carrying it out, and the line above makes some look dear.
        ("jit", "off".to_owned()),
    ]);
    let options = options.options(tuning.iter().copied());
    let role = settings.role;
    Ok(PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(Duration::from_secs(5))
        // Trying each time would cost a round trip for every transaction. One that has died since its
        // last use a moment ago fails its first statement, and whoever used it tries again.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRIED_AFTER {
                    return Ok(connection.ping().await.is_ok());
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if let Some(role) = role {
                    connection.execute(AssertSqlSafe(format!("SET ROLE {role}"))).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options))
}
