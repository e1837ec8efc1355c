//! `leadflow health [ROLE…]`: what a container's health check runs.

use std::process::ExitCode;

use crate::{
    local::{
        environment,
        probe::{self, Readiness},
    },
    role::{Ports, Role, roles},
};

/// `leadflow health`'s arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Roles of this machine to ask; none, or "all": every role but the sandbox
    roles: Vec<String>,
}

/// Prints a line for each role; fails when one is not ready.
pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let roles = roles(&args.roles).map_err(anyhow::Error::msg)?;
    let mut env = environment::env()?;
    let ports: Vec<(Role, u16)> = roles.iter().map(|role| (*role, Ports::read(&mut env, *role).http)).collect();
    env.finish()?;
    let mut well = true;
    for (role, port) in ports {
        let said = match probe::readiness(port).await {
            Readiness::Ready => "ready".to_owned(),
            Readiness::NotReady(why) => {
                well = false;
                format!("not ready: {why}")
            }
            Readiness::Silent => {
                well = false;
                format!("nothing answers on port {port} ({})", role.http().name)
            }
        };
        println!("{role}: {said}");
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
