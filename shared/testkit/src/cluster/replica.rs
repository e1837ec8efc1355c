//! One process of one role.

use std::{
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context as _;

use crate::{
    balancer, guard,
    servers::{Signal, free_port},
    wait,
};

/// A role's process, running or not.
pub struct Replica {
    /// Its role.
    pub role: &'static str,
    /// Its number among the role's replicas.
    pub index: usize,
    /// Its HTTP port.
    pub http: u16,
    /// Its gRPC port.
    pub grpc: u16,
    /// The port of its metrics, if it serves them.
    pub metrics: Option<u16>,
    binary: PathBuf,
    log: PathBuf,
    env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Replica {
    pub(super) fn plan(
        binary: &Path,
        role: &'static str,
        index: usize,
        logs: &Path,
        metrics: bool,
    ) -> anyhow::Result<Self> {
        let port = || free_port().context("no free port");
        Ok(Self {
            role,
            index,
            http: port()?,
            grpc: port()?,
            metrics: metrics.then(port).transpose()?,
            binary: binary.to_owned(),
            log: logs.join(format!("{role}-{index}.log")),
            env: Vec::new(),
            child: None,
        })
    }

    pub(super) fn set_env(&mut self, env: &[(String, String)]) {
        let upper = self.role.to_uppercase();
        self.env = env.to_vec();
        self.env.push((format!("{upper}_HTTP_PORT"), self.http.to_string()));
        self.env.push((format!("{upper}_GRPC_PORT"), self.grpc.to_string()));
        self.env.push((format!("{upper}_SMTP_PORT"), self.smtp().to_string()));
        self.env.extend(self.metrics.map(|port| ("METRICS_PORT".to_owned(), port.to_string())));
    }

    /// Its HTTP base URL.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The port that it takes mails on; only a role without gRPC does.
    #[must_use]
    pub const fn smtp(&self) -> u16 {
        self.grpc
    }

    /// Its gRPC address.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// Starts its process, on the same ports as before. Does not wait until it is ready.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.binary)
            .args(["serve", self.role])
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        guard::process(guard::Server::Nats, child.id())?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            guard::forget_process(guard::Server::Nats, child.id());
            // It may have ended by itself; then there is only something to reap.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM) without waiting.
    pub fn terminate(&mut self) {
        if let Some(child) = &self.child {
            let _ = Signal::Terminate.send(child.id());
        }
    }

    /// Asks it to stop, and waits until it has ended by itself: how it ended.
    ///
    /// # Errors
    /// When it does not run, or has not ended after `grace`: the end of its log.
    pub async fn stop(&mut self, grace: Duration) -> anyhow::Result<ExitStatus> {
        self.terminate();
        let child = self.child.as_mut().context("it does not run")?;
        let what = format!("{}-{} ends", self.role, self.index);
        let ended = wait::try_for(what, grace, async || child.try_wait().transpose()).await;
        let status = ended.with_context(|| self.last_words())??;
        if let Some(child) = self.child.take() {
            guard::forget_process(guard::Server::Nats, child.id());
        }
        Ok(status)
    }

    /// From its next start on it runs another executable: of another release.
    pub fn use_binary(&mut self, binary: &Path) {
        binary.clone_into(&mut self.binary);
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its process's number, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether `/readyz` answers 200.
    pub async fn readyz(&self) -> bool {
        balancer::readyz(SocketAddr::from((Ipv4Addr::LOCALHOST, self.http))).await == Some(200)
    }

    /// All that it has written so far, its earlier processes too.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = self.log();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill9();
    }
}
