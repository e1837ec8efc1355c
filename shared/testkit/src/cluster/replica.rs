//! One process of one role.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    guard,
    servers::{Signal, free_port},
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
        tokio::time::timeout(Duration::from_secs(3), self.status_of_readyz())
            .await
            .is_ok_and(|status| status == Some(200))
    }

    /// The end of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    async fn status_of_readyz(&self) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).await.ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head).ok()?.split(' ').nth(1)?.parse().ok()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill9();
    }
}
