//! `leadflow down`

use std::process::ExitCode;

use leadflow_testkit::servers::Signal;

use crate::{
    local::{layout::Layout, servers, services, state},
    role::Role,
    say::say,
};

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let layout = Layout::find();
    if !layout.run().is_dir() {
        say!("nothing was started here");
        return Ok(ExitCode::SUCCESS);
    }
    let _lock = state::lock(&layout)?;
    // Who asks stops before who is asked; all of a kind at once would be faster, but then answers
    // that are still owed could not be given.
    let mut programs: Vec<_> = Role::ALL.iter().rev().map(|role| (role.name(), Signal::Terminate)).collect();
    programs.push((servers::NATS, Signal::Terminate));
    // A fast shutdown: PostgreSQL's SIGTERM would wait for every session to end.
    programs.push((servers::POSTGRES, Signal::Interrupt));
    let mut stopped = 0;
    for (name, signal) in programs {
        if services::stop(&layout, name, signal).await {
            say!("{name}: stopped");
            stopped += 1;
        }
    }
    if stopped == 0 {
        say!("nothing was running");
    }
    Ok(ExitCode::SUCCESS)
}
