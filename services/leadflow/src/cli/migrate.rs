//! `leadflow migrate`

use std::process::ExitCode;

use crate::say::say;
use crate::{local::environment, migrate};

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let schemas = migrate::schemas(&mut env);
    env.finish()?;
    migrate::check_roles(&schemas).await?;
    for schema in &schemas {
        migrate::migrate(schema).await?;
        say!("{}: up to date", schema.name);
    }
    Ok(ExitCode::SUCCESS)
}
