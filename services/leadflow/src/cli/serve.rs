//! `leadflow serve [ROLE…]`

use std::process::ExitCode;

use leadflow_platform::{shutdown, telemetry};

use crate::{local::environment, role::Role, serve};

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
    let _telemetry = telemetry::start(&logging, if let [one] = names.as_slice() { one } else { "all" })?;
    serve::run(settings, shutdown::on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

/// Each role once, in the order of starting.
fn roles(names: &[String]) -> Result<Vec<Role>, String> {
    let all = names.is_empty() || names.iter().any(|name| name == "all");
    let wanted = names
        .iter()
        .filter(|name| *name != "all")
        .map(|name| name.parse::<Role>().map_err(|error| format!("\"{name}\" is {error}")))
        .collect::<Result<Vec<_>, _>>()?;
    let runs = |role: &Role| (all && role.is_product()) || wanted.contains(role);
    Ok(Role::ALL.iter().copied().filter(runs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &[&str]) -> Result<Vec<Role>, String> {
        roles(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn roles_by_name_each_once_in_the_order_of_starting() {
        assert_eq!(parse(&["billing", "accounts", "billing"]), Ok(vec![Role::Accounts, Role::Billing]));
        assert!(parse(&["mailer"]).unwrap_err().contains("the roles are accounts"));
    }

    #[test]
    fn the_sandbox_runs_only_when_it_is_named() {
        let all = parse(&[]).expect("all");
        assert_eq!(parse(&["all"]), Ok(all.clone()));
        assert!(all.contains(&Role::Ingest) && !all.contains(&Role::Sandbox));
        assert_eq!(parse(&["all", "sandbox"]).as_deref(), Ok(Role::ALL));
    }
}
