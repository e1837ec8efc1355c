//! `leadflow migrate`

use std::process::ExitCode;

use crate::say::say;
use crate::{
    local::environment,
    migrate::{self, Migrated},
};

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let schemas = migrate::schemas(&mut env);
    env.finish()?;
    migrate::check_roles(&schemas).await?;
    for schema in &schemas {
        match migrate::migrate(schema).await? {
            Migrated::UpToDate => say!("{}: up to date", schema.name),
            Migrated::Newer => say!("{}: of a later release than this program; left as it is", schema.name),
        }
    }
    Ok(ExitCode::SUCCESS)
}
