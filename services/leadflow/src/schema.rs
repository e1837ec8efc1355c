//! A role begins to work only when its schema has every migration of this program: otherwise statements would fail, one by one, on what is
//! not there yet. A schema that has more than that is of a later release, and fits.

use std::{os::fd::AsFd as _, str::FromStr as _, time::Duration};

use anyhow::Context as _;
use leadflow_platform::{Health, Shutdown, db::DbSettings, http};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, migrate::Migrator, postgres::PgConnectOptions,
};
use tokio::{net::TcpListener, sync::watch};

use crate::role::Role;

/// How often the schema is looked at while it does not fit.
const EVERY: Duration = Duration::from_secs(1);
/// How long the database has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a role needs of its schema.
#[derive(Clone)]
pub struct Needed {
    /// Whose migrations.
    pub migrator: &'static Migrator,
    /// Where it is, and as whom the role looks at it.
    pub database: DbSettings,
}

/// Waits until the schema fits. Meanwhile, on `listener`, `/readyz` says what is lacking; and so does the log, once. `false`: the stop came first.
///
/// # Errors
/// When the listener cannot be used.
pub async fn fits(role: Role, needed: &Needed, listener: &TcpListener, shutdown: &Shutdown) -> anyhow::Result<bool> {
    let Err(lack) = look(needed).await else { return Ok(true) };
    let (say, lack) = watch::channel(lack);
    let health = Health::new(role.name()).with("schema", move || {
        let lack = lack.borrow().clone();
        async move { Err(lack) }
    });
    // The service's own server takes over on the same socket: nobody who connects meanwhile is turned away.
    let copy = std::net::TcpListener::from(listener.as_fd().try_clone_to_owned().context("the listener")?);
    let copy = TcpListener::from_std(copy).context("the listener")?;
    let until = Shutdown::from(shutdown.child_token());
    let router = http::request_id(health.router(&until));
    let answering = tokio::spawn(http::serve(copy, router, until.clone()));
    let mut said = String::new();
    let fits = loop {
        if *say.borrow() != said {
            said.clone_from(&say.borrow());
            tracing::error!(%role, "waiting for the schema: {said}");
        }
        tokio::select! {
            () = shutdown.cancelled() => break false,
            () = tokio::time::sleep(EVERY) => {}
        }
        match look(needed).await {
            Ok(()) => break true,
            Err(lack) => say.send_replace(lack),
        };
    };
    until.cancel();
    answering.await.context("the answering of readiness")??;
    if fits {
        tracing::info!(%role, "the schema fits now");
    }
    Ok(fits)
}

/// What is lacking, in a few words.
async fn look(needed: &Needed) -> Result<(), String> {
    // A URL that cannot be read is for the service to tell of.
    let Ok(options) = PgConnectOptions::from_str(&needed.database.url) else { return Ok(()) };
    let options = options.application_name(needed.database.application).disable_statement_logging();
    let applied = tokio::time::timeout(PATIENCE, async {
        let mut connection = options.connect().await?;
        if let Some(role) = needed.database.role {
            connection.execute(AssertSqlSafe(format!("SET ROLE {role}"))).await?;
        }
        let history = format!("SELECT version FROM {} WHERE success", needed.migrator.table_name);
        let applied: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(history)).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(applied)
    });
    let applied = match applied.await {
        Ok(Ok(applied)) => applied,
        // No such role, no such schema, no right to read it yet: it was never migrated.
        Ok(Err(sqlx::Error::Database(_))) => {
            return Err("it is not there, or this role has no rights on it yet: run `leadflow migrate`".to_owned());
        }
        _ => return Err("PostgreSQL cannot be reached".to_owned()),
    };
    let missing = needed.migrator.iter().filter(|migration| !applied.contains(&migration.version)).count();
    if missing == 0 {
        return Ok(());
    }
    Err(format!("it lacks {missing} of the migrations of this release: run `leadflow migrate` of this release"))
}
