//! A nats-server per test: stream names are fixed, so tests cannot share one.

use anyhow::Context as _;

use crate::{
    TempDir,
    guard::{self, Server},
    servers::{Nats, NatsOptions},
};

/// A small nats-server of one test, ended and wiped when dropped or when the process ends.
#[derive(Debug)]
pub struct TestNats {
    // Ended before its folder is removed: fields are dropped in order.
    server: Nats,
    watched: Option<u32>,
    _folder: TempDir,
}

impl TestNats {
    /// Starts one (about 50 ms).
    ///
    /// # Errors
    /// When nats-server is missing or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = TempDir::new("nats").context("make a folder for nats-server")?;
        let options =
            NatsOptions { log: Some(folder.path().join("nats.log")), ..NatsOptions::new(folder.path().join("store")) };
        let server = Nats::start(options).await?;
        let mut this = Self { server, watched: None, _folder: folder };
        this.watch()?;
        Ok(this)
    }

    /// `nats://…`
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Its loopback port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.server.port()
    }

    /// Kills it at once; what it acknowledged stays on disk.
    pub fn kill9(&mut self) {
        self.unwatch();
        self.server.kill9();
    }

    /// Starts it again on the same port and store, after killing it if it still runs.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.unwatch();
        self.server.restart().await?;
        self.watch()
    }

    fn watch(&mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.server.pid() {
            guard::process(Server::Nats, pid).context("watch over nats-server")?;
            self.watched = Some(pid);
        }
        Ok(())
    }

    fn unwatch(&mut self) {
        if let Some(pid) = self.watched.take() {
            guard::forget_process(Server::Nats, pid);
        }
    }
}

impl Drop for TestNats {
    fn drop(&mut self) {
        self.kill9();
    }
}
