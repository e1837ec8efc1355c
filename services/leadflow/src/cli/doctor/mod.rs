//! `leadflow doctor`: one line for each thing that everything else depends on; what is wrong comes with
//! the command or the setting that mends it.

mod machine;
mod mail;
mod payments;
mod roles;
mod servers;
mod texts;
mod usage;

use std::{process::ExitCode, time::Duration};

use tokio::net::TcpStream;

use crate::{
    local::{
        environment::{self, Variables},
        layout::Layout,
        settings::LocalSettings,
        table,
    },
    say::say,
};

/// The longest one question to a server may take: a server that hangs is told like one that is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is looked at, what was found, and how to mend it.
struct Check {
    what: String,
    found: String,
    /// Empty when all is well.
    mend: String,
    /// Everything else works without it.
    warning: bool,
}

impl Check {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), mend: String::new(), warning: false }
    }

    fn bad(what: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), mend: mend.into(), warning: false }
    }

    fn warning(what: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { warning: true, ..Self::bad(what, found, mend) }
    }
}

/// Whether anybody listens there.
async fn reached(what: &'static str, host: &str, port: u16, mend: &str) -> Check {
    let place = format!("{host}:{port}");
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Check::good(what, format!("{place} is there")),
        Ok(Err(error)) => Check::bad(what, format!("{place} cannot be reached: {error}"), mend),
        Err(_) => Check::bad(what, format!("{place} does not answer"), mend),
    }
}

/// What is known before anything is asked.
struct Known {
    layout: Layout,
    /// The caller's own variables.
    own: Variables,
    /// Those over what `up` noted: what the services run with.
    merged: Variables,
    settings: LocalSettings,
}

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let layout = Layout::find();
    let (own, merged) = (environment::own(), environment::merged(&layout)?);
    let mut checks = Vec::new();
    let mut env = environment::env_of(&own);
    let mut settings = LocalSettings::read(&mut env);
    if let Err(error) = env.finish() {
        checks.extend(error.problems.iter().map(|problem| Check::bad("settings", problem, "set it right")));
    }
    // The services are where `up` started them, also if the caller's shell says nothing of it.
    settings.roles = LocalSettings::read(&mut environment::env_of(&merged)).roles;
    let known = Known { layout, own, merged, settings };
    machine::look(&known, &mut checks);
    servers::look(&known, &mut checks).await;
    roles::look(&known, &mut checks).await;
    mail::look(&known, &mut checks).await;
    texts::look(&known, &mut checks).await;
    usage::look(&known, &mut checks).await;
    payments::look(&known, &mut checks).await;
    Ok(print(&checks))
}

fn print(checks: &[Check]) -> ExitCode {
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let state = match (check.mend.is_empty(), check.warning) {
                (true, _) => "ok",
                (false, true) => "warning",
                (false, false) => "WRONG",
            };
            let text = if check.mend.is_empty() {
                check.found.clone()
            } else {
                format!("{}; to mend it: {}", check.found, check.mend)
            };
            [state.to_owned(), check.what.clone(), text]
        })
        .collect();
    say!("{}", table::columns(&rows).trim_end());
    let wrong = checks.iter().filter(|check| !check.mend.is_empty() && !check.warning).count();
    if wrong == 0 {
        let warnings = checks.iter().any(|check| check.warning);
        say!("\n{}", if warnings { "Nothing is wrong, but see the warnings." } else { "All is well." });
        ExitCode::SUCCESS
    } else {
        say!("\n{wrong} of {} checks found something wrong.", checks.len());
        ExitCode::FAILURE
    }
}
