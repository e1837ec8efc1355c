//! `leadflow doctor`

use std::{process::ExitCode, time::Duration};

use leadflow_messaging::{Bus, BusSettings, topology};
use leadflow_testkit::servers::{nats_server, postgres_bin};
use sqlx::{Connection as _, PgConnection};

use crate::say::say;
use crate::{
    local::{
        disk, environment,
        layout::Layout,
        ports::{self, Wanted},
        probe::{self, Readiness},
        servers,
        settings::{LocalSettings, NATS_PORT, POSTGRES_PORT},
        state, table,
    },
    migrate, serve,
};

/// What is looked at, what was found, and how to mend it.
struct Check {
    what: String,
    found: String,
    /// Empty when all is well.
    mend: String,
}

impl Check {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), mend: String::new() }
    }

    fn bad(what: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), mend: mend.into() }
    }
}

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    let layout = Layout::find();
    let variables = environment::merged(&layout)?;
    let own = environment::own();
    let mut env = environment::env_of(&own);
    let settings = LocalSettings::read(&mut env);
    let mut checks = Vec::new();
    if let Err(error) = env.finish() {
        checks.extend(error.problems.iter().map(|problem| Check::bad("settings", problem, "set it right")));
    }
    checks.push(disk_check(&layout));
    programs(&settings, &mut checks);
    port_check(&layout, &settings, &mut checks);
    database(&variables, &mut checks).await;
    bus(&variables, &mut checks).await;
    for (role, ports) in &settings.roles {
        checks.push(match probe::readiness(ports.http).await {
            Readiness::Ready => Check::good(role.name(), format!("ready on port {}", ports.http)),
            Readiness::NotReady(why) => {
                Check::bad(role.name(), why, format!("see {}", layout.log(role.name()).display()))
            }
            Readiness::Silent => Check::bad(
                role.name(),
                format!("does not answer on port {}", ports.http),
                format!("make up, then see {}", layout.log(role.name()).display()),
            ),
        });
    }
    Ok(print(&checks))
}

fn print(checks: &[Check]) -> ExitCode {
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let state = if check.mend.is_empty() { "ok" } else { "WRONG" };
            let text = if check.mend.is_empty() {
                check.found.clone()
            } else {
                format!("{}; to mend it: {}", check.found, check.mend)
            };
            [state.to_owned(), check.what.clone(), text]
        })
        .collect();
    say!("{}", table::columns(&rows).trim_end());
    let wrong = checks.iter().filter(|check| !check.mend.is_empty()).count();
    if wrong == 0 {
        say!("\nAll is well.");
        ExitCode::SUCCESS
    } else {
        say!("\n{wrong} of {} checks found something wrong.", checks.len());
        ExitCode::FAILURE
    }
}

fn disk_check(layout: &Layout) -> Check {
    match disk::free(layout.home()) {
        Ok(free) if free >= disk::NEEDED => Check::good("disk", format!("{} MiB free", free >> 20)),
        Ok(free) => Check::bad(
            "disk",
            format!("only {} MiB free on the disk of {}", free >> 20, layout.home().display()),
            "free some space, or set LEADFLOW_HOME to a folder on another disk",
        ),
        Err(error) => Check::bad("disk", format!("{error:#}"), "make up creates the folder"),
    }
}

/// The servers' programs, where they are ours to start.
fn programs(settings: &LocalSettings, checks: &mut Vec<Check>) {
    let found = [
        ("PostgreSQL's programs", settings.database_url.is_none().then(postgres_bin)),
        ("nats-server's program", settings.nats_url.is_none().then(nats_server)),
    ];
    for (what, found) in found {
        let Some(found) = found else { continue };
        checks.push(match found {
            Ok(found) => Check::good(what, format!("version {}, {}", found.version, found.path.display())),
            Err(error) => Check::bad(what, error.to_string(), "scripts/tools.sh fetches them"),
        });
    }
}

/// Ports that somebody else keeps from us.
fn port_check(layout: &Layout, settings: &LocalSettings, checks: &mut Vec<Check>) {
    let mut wanted = Vec::new();
    let mut want = |runs: &str, what: String, port: u16, setting: &'static str| {
        if state::running(layout, runs).is_none() {
            wanted.push(Wanted { what, port, setting });
        }
    };
    if settings.database_url.is_none() {
        want(servers::POSTGRES, "PostgreSQL".to_owned(), settings.postgres_port, POSTGRES_PORT);
    }
    if settings.nats_url.is_none() {
        want(servers::NATS, "nats-server".to_owned(), settings.nats_port, NATS_PORT);
    }
    for (role, ports) in &settings.roles {
        want(role.name(), format!("{role}'s HTTP"), ports.http, role.http().name);
        if let (Some(port), Some(setting)) = (ports.grpc, role.grpc()) {
            want(role.name(), format!("{role}'s gRPC"), port, setting.name);
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

async fn database(variables: &environment::Variables, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(variables);
    let schemas = migrate::schemas(&mut env);
    if let Err(error) = env.finish() {
        checks.push(Check::bad("PostgreSQL", error.to_string(), "make up starts one"));
        return;
    }
    for schema in &schemas {
        let what = format!("schema {}", schema.name);
        checks.push(match migrate::missing(schema).await {
            Ok(Some(0)) => Check::good(what, "up to date"),
            Ok(Some(missing)) => Check::bad(what, format!("{missing} migrations are missing"), "leadflow migrate"),
            Ok(None) => {
                Check::bad(what, "was made by another version of this program", "use that version, or a fresh database")
            }
            Err(error) => Check::bad(what, format!("{error:#}"), "make up, or set DATABASE_URL right"),
        });
    }
    if let Some(schema) = schemas.first() {
        checks.push(match postgres_version(&schema.database.url).await {
            Ok(number) if number >= 150_000 => {
                Check::good("PostgreSQL", format!("reachable, version {}.{}", number / 10_000, number % 10_000))
            }
            Ok(number) => {
                Check::bad("PostgreSQL", format!("version {} is too old", number / 10_000), "use 15 or newer")
            }
            Err(error) => {
                Check::bad("PostgreSQL", format!("cannot be reached: {error}"), "make up, or set DATABASE_URL right")
            }
        });
    }
}

async fn postgres_version(url: &str) -> Result<i32, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let version =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(version)
}

/// NATS answers, is new enough, and has the streams and consumers that the program needs.
async fn bus(variables: &environment::Variables, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(variables);
    let url = leadflow_platform::settings::nats_url(&mut env);
    let wanted = serve::topology_settings(&mut env);
    let settings = BusSettings { url, source: "doctor".to_owned(), connect_within: Duration::from_secs(1) };
    let bus = match Bus::connect(&settings).await {
        Ok(bus) => bus,
        Err(error) => {
            checks.push(Check::bad("NATS", error.to_string(), "make up, or set NATS_URL right"));
            return;
        }
    };
    checks.push(Check::good("NATS", format!("reachable, version {}", bus.server_version())));
    match topology::differences(&bus, wanted).await {
        Ok(differences) if differences.is_empty() => {
            checks.push(Check::good("streams and consumers", "as declared"));
        }
        Ok(differences) => checks.extend(differences.into_iter().map(|difference| {
            Check::bad("streams and consumers", difference, "restart any service: it creates what is missing")
        })),
        Err(error) => checks.push(Check::bad("streams and consumers", error.to_string(), "is JetStream switched on?")),
    }
    bus.close().await;
}
