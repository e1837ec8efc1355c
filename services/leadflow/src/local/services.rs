//! The services as processes of their own.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash as _, Hasher as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use leadflow_testkit::{
    servers::{ProcessId, Signal, log_tail},
    wait,
};

use super::{
    environment::Variables,
    layout::Layout,
    probe::{self, Readiness},
    state::{self, Started},
};
use crate::role::{Ports, Role};
use crate::say::say;

/// Reading a large `DIRECTORY` at start included.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Services finish what is at hand within 20 s.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How far above a role's HTTP port its metrics are.
pub const METRICS_ABOVE: u16 = 10_000;
/// A log larger than this is put aside at the next start.
const LOG_LIMIT: u64 = 64 << 20;

/// The program that services are started from.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    identity: String,
}

impl Program {
    /// This very program.
    pub fn own() -> anyhow::Result<Self> {
        let path = std::env::current_exe().context("find our own program")?;
        let meta = fs::metadata(&path).with_context(|| format!("read {}", path.display()))?;
        let identity = format!("{}:{}:{}.{}", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        Ok(Self { path, identity })
    }

    /// What a process started from it with these variables is known by.
    pub fn fingerprint(&self, variables: &Variables) -> String {
        let mut hasher = DefaultHasher::new();
        self.path.hash(&mut hasher);
        self.identity.hash(&mut hasher);
        variables.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

/// Starts a role unless it runs as it should: one of another build or with other settings is
/// replaced. Returns whether something was started.
pub async fn start(
    layout: &Layout,
    program: &Program,
    role: Role,
    ports: Ports,
    variables: &Variables,
) -> anyhow::Result<bool> {
    let fingerprint = program.fingerprint(variables);
    if let Some(started) = state::running(layout, role.name()) {
        if started.fingerprint == fingerprint {
            return Ok(false);
        }
        say!("{role}: restarting, because the program or its settings changed");
        stop(layout, role.name(), Signal::Terminate).await;
    } else {
        say!("{role}: starting");
    }
    let log = layout.log(role.name());
    put_aside(&log);
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .with_context(|| format!("cannot write {}; is the disk full?", log.display()))?;
    let child = Command::new(&program.path)
        .args(["serve", role.name()])
        .envs(variables)
        // Each process has metrics of its own.
        .envs(ports.http.checked_add(METRICS_ABOVE).map(|port| ("METRICS_PORT", port.to_string())))
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("open the log twice")?)
        .stderr(file)
        // Ctrl-C at the terminal of `up` is not for the services.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", program.path.display()))?;
    let process = ProcessId::of(child.id()).with_context(|| died(layout, role.name()))?;
    state::note(layout, role.name(), &Started::new(process, ports.http, fingerprint))?;
    Ok(true)
}

/// Waits until every role is ready, saying so of those that were just `started`.
pub async fn wait_ready(layout: &Layout, roles: &[(Role, Ports)], started: &[Role]) -> anyhow::Result<()> {
    let begin = Instant::now();
    for (role, ports) in roles {
        let mut last = Readiness::Silent;
        let outcome = wait::try_for(format!("{role} is ready"), READY_LIMIT, async || {
            if state::running(layout, role.name()).is_none() {
                return Some(false);
            }
            last = probe::readiness(ports.http).await;
            (last == Readiness::Ready).then_some(true)
        })
        .await;
        match outcome {
            Ok(true) if !started.contains(role) => {}
            Ok(true) => say!("{role}: ready, port {} ({:.1} s)", ports.http, begin.elapsed().as_secs_f32()),
            Ok(false) => anyhow::bail!(died(layout, role.name())),
            Err(_) => {
                let why = match last {
                    Readiness::NotReady(why) => why,
                    _ => "it does not answer".to_owned(),
                };
                anyhow::bail!(
                    "{role} did not get ready within {} s: {why}; see {}",
                    READY_LIMIT.as_secs(),
                    layout.log(role.name()).display()
                );
            }
        }
    }
    Ok(())
}

/// Stops a program that `up` started, and forgets it. Returns whether it ran.
pub async fn stop(layout: &Layout, name: &str, signal: Signal) -> bool {
    let Some(started) = state::running(layout, name) else { return false };
    started.signal(signal);
    let ended = wait::try_for("its end", STOP_LIMIT, async || (!started.is_alive()).then_some(())).await;
    if ended.is_err() {
        say!("{name}: did not stop within {} s, killing it", STOP_LIMIT.as_secs());
        started.signal(Signal::Kill);
        // A killed process is gone as soon as the kernel gets to it.
        let _ = wait::try_for("its end", STOP_LIMIT, async || (!started.is_alive()).then_some(())).await;
    }
    state::forget(layout, name);
    true
}

fn died(layout: &Layout, name: &str) -> String {
    let log = layout.log(name);
    let tail = log_tail(&log);
    let last = tail.rsplit(" | ").next().unwrap_or_default();
    format!("{name} ended right after its start: {last} (log: {})", log.display())
}

/// Keeps one older log.
fn put_aside(log: &Path) {
    if fs::metadata(log).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        // If it cannot be renamed, it only grows on.
        let _ = fs::rename(log, log.with_extension("log.1"));
    }
}
