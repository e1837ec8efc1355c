//! A private nats-server with JetStream.

use std::{
    fmt, fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    time::Duration,
};

use super::{Found, ProcessId, Running, ServerError, Signal, free_port, is_free, nats_server, process::tail};
use crate::wait;

const WHAT: &str = "nats-server";
/// Reading back a large store included.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const PORT_TRIES: u32 = 5;
/// Bytes that streams may reserve, all together. By default the server takes three quarters of the
/// free disk, and on a small one refuses streams whose bounds add up to more, however empty they are.
const MAX_FILE_STORE: u64 = 1 << 40;

/// When the server flushes what it stored to the disk. What it acknowledged before survives its
/// own death in either case; only [`Always`](Self::Always) also survives a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncInterval {
    /// Before every acknowledgement.
    Always,
    /// This often.
    Every(Duration),
}

/// Neither `always` nor a duration such as `100ms`, `10s` or `2m`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither \"always\" nor a duration such as 100ms, 10s or 2m")]
pub struct SyncIntervalError(String);

impl FromStr for SyncInterval {
    type Err = SyncIntervalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SyncIntervalError(text.to_owned());
        if text == "always" {
            return Ok(Self::Always);
        }
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let millis = match &text[digits..] {
            "ms" => Some(number),
            "s" => number.checked_mul(1_000),
            "m" => number.checked_mul(60_000),
            _ => None,
        };
        let millis = millis.filter(|millis| (1..=86_400_000).contains(millis)).ok_or_else(wrong)?;
        Ok(Self::Every(Duration::from_millis(millis)))
    }
}

impl fmt::Display for SyncInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Every(interval) => write!(f, "{}ms", interval.as_millis()),
        }
    }
}

/// How to run it.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Where its streams and its configuration are; made if missing.
    pub store_dir: PathBuf,
    /// The loopback port; 0 picks a free one.
    pub port: u16,
    /// When it flushes to the disk.
    pub sync: SyncInterval,
    /// Its log; the end of it is part of error messages.
    pub log: Option<PathBuf>,
}

impl NatsOptions {
    /// Flushes every two minutes (the server's own default), any port, no log.
    #[must_use]
    pub fn new(store_dir: impl Into<PathBuf>) -> Self {
        Self { store_dir: store_dir.into(), port: 0, sync: SyncInterval::Every(Duration::from_secs(120)), log: None }
    }
}

/// A running nats-server on loopback, without log-in. Dropping it ends it, unless it was [detached](Self::detach).
#[derive(Debug)]
pub struct Nats {
    options: NatsOptions,
    found: Found,
    running: Option<Running>,
}

impl Nats {
    /// Starts the server and waits until it greets with JetStream on.
    ///
    /// # Errors
    /// Every [`ServerError`] but those of users.
    pub async fn start(options: NatsOptions) -> Result<Self, ServerError> {
        let found = nats_server()?;
        let any_port = options.port == 0;
        fs::create_dir_all(&options.store_dir).map_err(ServerError::io("create", &options.store_dir))?;
        let mut server = Self { options, found, running: None };
        let mut tries = 0;
        loop {
            if any_port {
                server.options.port = free_port().ok_or(ServerError::PortBusy { what: WHAT, port: 0 })?;
            }
            match server.run().await {
                Err(_) if any_port && tries < PORT_TRIES && !is_free(server.options.port) => {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
    }

    /// `nats://…`
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_at(self.options.port)
    }

    /// The URL of a server started here on this port.
    #[must_use]
    pub fn url_at(port: u16) -> String {
        format!("nats://127.0.0.1:{port}")
    }

    /// Its loopback port; stays the same over restarts.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.options.port
    }

    /// Its version, for example `2.15.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.found.version
    }

    /// The process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Running::pid)
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill9();
        }
    }

    /// Starts it again after [`kill9`](Self::kill9) or [`stop`](Self::stop), on the same port and
    /// store; waits until it greets.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill9();
        self.run().await
    }

    /// Stops it in an orderly way.
    ///
    /// # Errors
    /// When it does not end within 20 s; it is killed then.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.signal(Signal::Terminate);
        let ended = wait::try_for("nats-server ends", STOP_LIMIT, async || (!running.is_running()).then_some(()));
        if let Err(elapsed) = ended.await {
            running.kill9();
            return Err(ServerError::Silent {
                what: WHAT,
                seconds: STOP_LIMIT.as_secs(),
                detail: format!("{elapsed} {}", tail(self.options.log.as_deref())),
            });
        }
        Ok(())
    }

    /// Lets it run on when this value is dropped, and gives its process.
    #[must_use]
    pub fn detach(mut self) -> Option<ProcessId> {
        let running = self.running.take()?;
        ProcessId::of(running.pid())
    }

    async fn run(&mut self) -> Result<(), ServerError> {
        let port = self.options.port;
        if !is_free(port) {
            return Err(ServerError::PortBusy { what: WHAT, port });
        }
        let config = self.options.store_dir.join("nats.conf");
        fs::write(&config, self.config()).map_err(ServerError::io("write", &config))?;
        let mut command = Command::new(&self.found.path);
        command.arg("-c").arg(&config).current_dir(&self.options.store_dir);
        self.running = Some(Running::spawn(command, WHAT, self.options.log.as_deref())?);

        let result = wait::try_for("nats-server greets", START_LIMIT, async || {
            if self.running.as_mut().is_some_and(Running::is_running) {
                greets(port).await.then_some(true)
            } else {
                Some(false)
            }
        })
        .await;
        match result {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.running = None;
                let log = tail(self.options.log.as_deref());
                let detail = if log.contains("no space left on device") {
                    format!(
                        "the disk of {} is full; free some space and try again ({log})",
                        self.options.store_dir.display()
                    )
                } else if log.is_empty() {
                    "it ended at once".to_owned()
                } else {
                    log
                };
                Err(ServerError::Refused { what: WHAT, detail })
            }
            Err(elapsed) => {
                self.kill9();
                Err(ServerError::Silent {
                    what: WHAT,
                    seconds: START_LIMIT.as_secs(),
                    detail: format!("{elapsed} {}", tail(self.options.log.as_deref())),
                })
            }
        }
    }

    fn config(&self) -> String {
        format!(
            "# Written at each start.\n\
             listen: \"127.0.0.1:{}\"\n\
             server_name: leadflow\n\
             jetstream {{\n  store_dir: {}\n  max_file_store: {MAX_FILE_STORE}\n  sync_interval: \"{}\"\n}}\n",
            self.options.port,
            quoted(&self.options.store_dir),
            self.options.sync,
        )
    }
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a server greets on the port with JetStream on. It listens only once its store is read.
async fn greets(port: u16) -> bool {
    const LIMIT: Duration = Duration::from_secs(2);
    let greeting = tokio::task::spawn_blocking(move || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        std::io::Result::Ok(line)
    });
    matches!(greeting.await, Ok(Ok(line)) if line.starts_with("INFO ") && line.contains("\"jetstream\":true"))
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill9();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_intervals_as_people_write_them() {
        for (text, expected) in [
            ("always", Some("always")),
            ("100ms", Some("100ms")),
            ("10s", Some("10000ms")),
            ("2m", Some("120000ms")),
            ("0s", None),
            ("10", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615m", None),
            ("never", None),
        ] {
            let parsed = text.parse::<SyncInterval>().ok().map(|sync| sync.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}
