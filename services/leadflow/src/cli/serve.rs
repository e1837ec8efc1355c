//! `leadflow serve [ROLE…]`

use std::process::ExitCode;

use leadflow_platform::{shutdown, telemetry};

use crate::{local::environment, observe, role::roles, serve};

/// `leadflow serve`'s arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Roles to run; none, or "all": every role but the sandbox
    roles: Vec<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let roles = roles(&args.roles).map_err(anyhow::Error::msg)?;
    let mut env = environment::env()?;
    let logging = telemetry::TelemetrySettings::read(&mut env);
    let settings = serve::Settings::read(&mut env, &roles);
    env.finish()?;
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    let telemetry = telemetry::start(&logging, if let [one] = names.as_slice() { one } else { "all" })?;
    let shutdown = shutdown::on_signal(settings.shutdown_delay)?;
    observe::serve_metrics(&telemetry, settings.address, logging.metrics_port, &shutdown).await;
    serve::run(settings, telemetry.measures(), shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
