//! `leadflow migrate`

use std::process::ExitCode;

use crate::{local::environment, migrate};

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let schemas = migrate::schemas(&mut env);
    env.finish()?;
    for schema in &schemas {
        migrate::migrate(schema).await?;
        println!("{}: up to date", schema.name);
    }
    Ok(ExitCode::SUCCESS)
}
