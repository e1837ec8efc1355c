//! `leadflow demo`

use std::process::ExitCode;

use anyhow::Context as _;

use crate::{demo, local::environment};

/// How much is played.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many leads are posted
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    posts: u32,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let settings = demo::Settings::read(&mut env);
    env.finish().context("nothing seems to run here; `make up` (or `leadflow up`) starts everything")?;
    demo::run(settings, args.posts as usize).await
}
