//! `leadflow backup` and `leadflow restore`

use std::{path::PathBuf, process::ExitCode};

use leadflow_kernel::{Clock as _, SystemClock};

use crate::{backup, local::environment, migrate, serve};

/// `leadflow backup`'s arguments.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// A folder that does not exist yet. It will hold personal data
    #[arg(long)]
    to: PathBuf,
}

/// `leadflow restore`'s arguments.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// A folder that `leadflow backup` wrote
    #[arg(long)]
    from: PathBuf,
}

pub(super) async fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let schemas = migrate::schemas(&mut env);
    env.finish()?;
    let bus = super::bus::connect().await?;
    backup::take(&schemas, &bus, &args.to, SystemClock.now()).await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let schemas = migrate::schemas(&mut env);
    let topology = serve::topology_settings(&mut env);
    env.finish()?;
    let bus = super::bus::connect().await?;
    backup::restore(&schemas, &bus, topology, &args.from).await?;
    Ok(ExitCode::SUCCESS)
}
