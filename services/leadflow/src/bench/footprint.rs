//! How soon all roles in one process are ready, and how much memory they hold when nothing happens; and the same roles as a process each.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use leadflow_testkit::{
    TempDir,
    cluster::{Cluster, ClusterOptions},
    servers::{Nats, NatsOptions, Postgres, PostgresOptions, free_port},
};
use tokio::process::{Child, Command};

use super::{
    Args,
    report::{Goal, Report, table},
    usage,
};
use crate::{
    local::probe::{self, Readiness},
    role::Role,
};

/// What a small machine should bear.
const READY_WITHIN_MS: f64 = 3_000.0;
const RESIDENT_MIB: f64 = 250.0;
/// The first start makes streams and consumers, too.
const STARTS: usize = 5;
/// How long nothing happens before memory is read.
const IDLE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts all roles in one process on servers of its own several times, then each role as a process.
///
/// # Errors
/// When something cannot be started, or is not ready within two minutes.
pub async fn run(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("All roles in one process …");
    let dir = TempDir::new("footprint")?;
    let postgres = Postgres::start(PostgresOptions::new(dir.path().join("postgres"))).await?;
    let nats = Nats::start(NatsOptions { sync: args.sync, ..NatsOptions::new(dir.path().join("nats")) }).await?;
    let (env, ports) = settings(&postgres.url(), &nats.url())?;
    let migrated = command("migrate", &env).status().await?;
    ensure!(migrated.success(), "leadflow migrate failed");
    let mut starts = Vec::new();
    for start in 1..=STARTS {
        let begun = Instant::now();
        let mut process = command("serve", &env).spawn().context("leadflow serve")?;
        ready(&mut process, &ports).await?;
        starts.push(begun.elapsed().as_secs_f64() * 1e3);
        if start == STARTS {
            tokio::time::sleep(IDLE).await;
            let pid = process.id().context("leadflow serve ended")?;
            let resident = usage::resident(pid).context("its memory")?;
            megabytes(report, "resident memory of all roles in one process, idle", resident);
        }
        process.kill().await?;
    }
    report.millis("cold start of all roles in one process, streams made", starts[0], Goal::AtMost(READY_WITHIN_MS));
    let most = starts[1..].iter().copied().fold(0.0, f64::max);
    let what = format!("the slowest of {} more starts", starts.len() - 1);
    report.millis(what, most, Goal::AtMost(READY_WITHIN_MS));

    eprintln!("Each role as a process …");
    let binary = std::env::current_exe().context("this executable's path")?;
    let mut options = ClusterOptions::new(binary);
    options.roles.retain(|(role, _)| *role != "sandbox");
    options.roles.push(("bff", 1));
    let cluster = Cluster::start(options).await?;
    tokio::time::sleep(IDLE).await;
    let memory = usage::memory(&cluster);
    let roles: f64 = memory.iter().filter(|(name, _)| name != "nats-server").map(|(_, mib)| mib).sum();
    let mut together = 0.0;
    for replica in &cluster.replicas {
        let pid = replica.pid().with_context(|| format!("{} ended", replica.role))?;
        together += usage::proportional(pid).with_context(|| format!("memory of {}", replica.role))?;
    }
    megabytes(report, "memory of six processes, a role each, idle, shared pages once", together);
    report.note(format!(
        "The six processes' resident memory adds up to {roles:.0} MiB, where pages that they share count six times."
    ));
    let rows = memory.into_iter().map(|(name, mib)| (name, format!("{mib:.0} MiB")));
    report.note(format!("Resident memory, idle for {} s:\n\n{}", IDLE.as_secs(), table(["process", "resident"], rows)));
    Ok(())
}

/// In megabytes, as the goal is.
fn megabytes(report: &mut Report, what: &str, mib: f64) {
    let megabytes = mib * 1.048_576;
    report.figure(what, format!("{megabytes:.0} MB"), Some(megabytes), Goal::AtMost(RESIDENT_MIB));
}

type Env = Vec<(String, String)>;

/// Settings of all roles on ports that are free, and the ports that tell whether each is ready.
fn settings(database: &str, nats: &str) -> anyhow::Result<(Env, Vec<(Role, u16)>)> {
    let mut env: Env = [
        ("DATABASE_URL", database),
        ("NATS_URL", nats),
        ("SERVICE_TOKEN", "the token of this bench"),
        ("SECRETS_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
        ("RUST_LOG", "warn"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut ports = Vec::new();
    for role in Role::ALL.iter().copied().filter(|role| *role != Role::Sandbox) {
        let http = free_port().context("no free port")?;
        env.push((role.http().name.to_owned(), http.to_string()));
        ports.push((role, http));
        let mut addresses = vec![(Role::HTTP_ADDRESSES, http)];
        if let Some(setting) = role.grpc() {
            let grpc = free_port().context("no free port")?;
            env.push((setting.name.to_owned(), grpc.to_string()));
            addresses.push((Role::ADDRESSES, grpc));
        }
        for (known, port) in addresses {
            let names = known.iter().filter(|(_, of)| *of == role);
            env.extend(names.map(|(name, _)| ((*name).to_owned(), format!("http://127.0.0.1:{port}"))));
        }
    }
    Ok((env, ports))
}

fn command(what: &str, env: &[(String, String)]) -> Command {
    let binary = std::env::current_exe().unwrap_or_else(|_| "leadflow".into());
    let mut command = Command::new(binary);
    command.arg(what).envs(env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

async fn ready(process: &mut Child, ports: &[(Role, u16)]) -> anyhow::Result<()> {
    let begun = Instant::now();
    for (role, port) in ports {
        while !matches!(probe::readiness(*port).await, Readiness::Ready) {
            ensure!(process.try_wait()?.is_none(), "leadflow serve ended before {role} was ready");
            ensure!(begun.elapsed() < PATIENCE, "{role} is not ready after {} s", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}
