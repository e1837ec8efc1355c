//! What belongs to the machine: disk, programs, ports, and the data of earlier runs.

use leadflow_testkit::servers::{nats_server, postgres_bin};

use super::{Check, Known};
use crate::local::{
    disk, pair,
    ports::{self, Wanted},
    servers,
    settings::{NATS_PORT, POSTGRES_PORT},
    state,
};

pub(super) fn look(known: &Known, checks: &mut Vec<Check>) {
    checks.push(disk_check(known));
    programs(known, checks);
    port_check(known, checks);
    if known.settings.database_url.is_none()
        && known.settings.nats_url.is_none()
        && let Err(error) = pair::check(&known.layout)
    {
        let problem = error.to_string();
        let (found, mend) = problem.split_once("; ").unwrap_or((&problem, "make down, then make up"));
        checks.push(Check::bad("data", found, mend));
    }
}

fn disk_check(known: &Known) -> Check {
    let home = known.layout.home();
    match disk::free(home) {
        Ok(free) if free >= disk::NEEDED => Check::good("disk", format!("{} MiB free", free >> 20)),
        Ok(free) => Check::bad(
            "disk",
            format!(
                "only {} MiB free on the disk of {}, {} MiB are needed",
                free >> 20,
                home.display(),
                disk::NEEDED >> 20
            ),
            "free some space, then make up; or set LEADFLOW_HOME to a folder on another disk",
        ),
        Err(error) => Check::bad("disk", format!("{error:#}"), "make up creates the folder"),
    }
}

/// The servers' programs, where they are ours to start.
fn programs(known: &Known, checks: &mut Vec<Check>) {
    let found = [
        ("PostgreSQL's programs", known.settings.database_url.is_none().then(postgres_bin)),
        ("nats-server's program", known.settings.nats_url.is_none().then(nats_server)),
    ];
    for (what, found) in found {
        let Some(found) = found else { continue };
        checks.push(match found {
            Ok(found) => Check::good(what, format!("version {}, {}", found.version, found.path.display())),
            Err(error) => {
                let problem = error.to_string();
                let (found, mend) = problem.split_once("; ").unwrap_or((&problem, "run scripts/tools.sh"));
                Check::bad(what, found, mend)
            }
        });
    }
}

/// Ports that somebody else keeps from us.
fn port_check(known: &Known, checks: &mut Vec<Check>) {
    let mut wanted = Vec::new();
    let mut want = |runs: &str, what: String, port: u16, setting: &'static str| {
        if state::running(&known.layout, runs).is_none() {
            wanted.push(Wanted { what, port, setting });
        }
    };
    if known.settings.database_url.is_none() {
        want(servers::POSTGRES, "PostgreSQL".to_owned(), known.settings.postgres_port, POSTGRES_PORT);
    }
    if known.settings.nats_url.is_none() {
        want(servers::NATS, "nats-server".to_owned(), known.settings.nats_port, NATS_PORT);
    }
    for (role, ports) in &known.settings.roles {
        want(role.name(), format!("{role}'s HTTP"), ports.http, role.http().name);
        if let (Some(port), Some(setting)) = (ports.grpc, role.grpc()) {
            want(role.name(), format!("{role}'s gRPC"), port, setting.name);
        }
        if let (Some(port), Some(setting)) = (ports.smtp, role.smtp()) {
            want(role.name(), format!("{role}'s mail"), port, setting.name);
        }
    }
    let problems = ports::problems(&wanted, &[]);
    if problems.is_empty() {
        checks.push(Check::good("ports", "ours, or free"));
    }
    for problem in problems {
        let (found, mend) = problem.split_once("; ").unwrap_or((&problem, "choose another"));
        checks.push(Check::bad("ports", found, mend));
    }
}
