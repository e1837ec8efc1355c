//! A private PostgreSQL.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::{
    Found, ProcessId, Running, ServerError, ServerUser, Signal, free_port, is_free, postgres_bin,
    process::{children_of, processes_in, tail},
    server_user,
};
use crate::wait;

const WHAT: &str = "PostgreSQL";
/// Crash recovery included.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A fast shutdown writes a checkpoint first.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Starts after a kill while processes of the killed server are still ending.
const RESTART_TRIES: usize = 50;
/// How often another port is tried when the one picked is taken meanwhile.
const PORT_TRIES: u32 = 5;

/// How to run it.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Where its data is; made and initialised if missing.
    pub data_dir: PathBuf,
    /// The loopback port; 0 picks a free one.
    pub port: u16,
    /// Whether a commit waits for the disk. Without, a killed server still loses nothing, but a
    /// machine without power does.
    pub fsync: bool,
    /// Most connections at once.
    pub max_connections: u32,
    /// Its log; the end of it is part of error messages.
    pub log: Option<PathBuf>,
    /// Further settings, as in postgresql.conf.
    pub settings: Vec<(String, String)>,
}

impl PostgresOptions {
    /// Durable, 200 connections, any port, no log.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), port: 0, fsync: true, max_connections: 200, log: None, settings: Vec::new() }
    }
}

/// A running PostgreSQL on loopback, user `postgres` without a password. Dropping it ends it, unless it was [detached](Self::detach).
#[derive(Debug)]
pub struct Postgres {
    options: PostgresOptions,
    found: Found,
    user: Option<ServerUser>,
    running: Option<Running>,
}

impl Postgres {
    /// Initialises the data folder if need be, starts the server and waits until it answers SQL.
    ///
    /// # Errors
    /// Every [`ServerError`].
    pub async fn start(options: PostgresOptions) -> Result<Self, ServerError> {
        let found = postgres_bin()?;
        let user = server_user()?;
        let any_port = options.port == 0;
        let mut server = Self { options, found, user, running: None };
        server.prepare()?;
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

    /// `postgres://…` of its database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_at(self.options.port)
    }

    /// The URL of a server started here on this port.
    #[must_use]
    pub fn url_at(port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    /// Its loopback port; stays the same over restarts.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.options.port
    }

    /// Its version, for example `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.found.version
    }

    /// The main process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Running::pid)
    }

    /// Kills every one of its processes at once, as the kernel would when it runs out of memory.
    pub fn kill9(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let children: Vec<_> = children_of(running.pid()).into_iter().filter_map(ProcessId::of).collect();
        running.kill9();
        for child in children {
            child.signal(Signal::Kill);
        }
    }

    /// Starts it again after [`kill9`](Self::kill9) or [`stop`](Self::stop), on the same port and
    /// data; waits until it answers.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill9();
        for _ in 0..RESTART_TRIES {
            match self.run().await {
                // Most likely "pre-existing shared memory block is still in use": its killed processes have not all
                // gone yet. It says so only where it has a log.
                Err(ServerError::Refused { .. }) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                outcome => return outcome,
            }
        }
        self.run().await
    }

    /// Stops it in an orderly way (fast shutdown: open transactions are rolled back).
    ///
    /// # Errors
    /// When it does not end within 30 s; it is killed then.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.signal(Signal::Interrupt);
        let ended = wait::try_for("PostgreSQL ends", STOP_LIMIT, async || (!running.is_running()).then_some(()));
        if let Err(elapsed) = ended.await {
            running.kill9();
            return Err(self.silent(STOP_LIMIT, &elapsed.to_string()));
        }
        Ok(())
    }

    /// Lets it run on when this value is dropped, and gives its process.
    #[must_use]
    pub fn detach(mut self) -> Option<ProcessId> {
        let running = self.running.take()?;
        ProcessId::of(running.pid())
    }

    /// Makes the data folder, initialised whole or not at all.
    fn prepare(&self) -> Result<(), ServerError> {
        let data = &self.options.data_dir;
        if data.join("PG_VERSION").is_file() {
            return self.check_version();
        }
        let parent = data.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(ServerError::io("create", parent))?;
        if let Some(user) = &self.user {
            user.check_reaches(parent)?;
        }
        // initdb into a folder beside it, so that one that was interrupted is never taken for data.
        let fresh = data.with_extension("initdb");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(ServerError::io("remove", &fresh))?;
        }
        fs::create_dir(&fresh).map_err(ServerError::io("create", &fresh))?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o700))
            .map_err(ServerError::io("change the mode of", &fresh))?;
        if let Some(user) = &self.user {
            chown(&fresh, Some(user.uid), Some(user.gid)).map_err(ServerError::io("change the owner of", &fresh))?;
        }
        let mut initdb = self.command("initdb");
        initdb
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-instructions", "-D"])
            .arg(&fresh)
            .current_dir(&fresh)
            .stdin(Stdio::null());
        if !self.options.fsync {
            initdb.arg("--no-sync");
        }
        let output = initdb.output().map_err(ServerError::io("run", self.found.path.join("initdb")))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            // It removes what it made by itself, but not if it was killed.
            let _ = fs::remove_dir_all(&fresh);
            return Err(ServerError::Refused { what: "initdb", detail: self.explain(&cause(&stderr)) });
        }
        if data.exists() {
            // An empty folder that somebody made; anything else in it is not ours to remove.
            fs::remove_dir(data).map_err(ServerError::io("replace the data folder", data))?;
        }
        fs::rename(&fresh, data).map_err(ServerError::io("rename to", data))
    }

    /// Data of another major version cannot be read: say so in our words.
    fn check_version(&self) -> Result<(), ServerError> {
        let file = self.options.data_dir.join("PG_VERSION");
        let data = fs::read_to_string(&file).map_err(ServerError::io("read", &file))?;
        let major = self.found.version.split('.').next().unwrap_or_default();
        if data.trim() == major {
            return Ok(());
        }
        Err(ServerError::Refused {
            what: WHAT,
            detail: format!(
                "{} holds data of version {}, but {} is version {}; set LEADFLOW_PG_BIN to programs of version {}, or remove the folder to start empty",
                self.options.data_dir.display(),
                data.trim(),
                self.found.path.display(),
                self.found.version,
                data.trim(),
            ),
        })
    }

    /// Starts the server process and waits until it answers.
    async fn run(&mut self) -> Result<(), ServerError> {
        let data = &self.options.data_dir;
        if !is_free(self.options.port) {
            return Err(ServerError::PortBusy { what: WHAT, port: self.options.port });
        }
        self.clear_lock_of_zombie().await?;
        let on_off = if self.options.fsync { "on" } else { "off" };
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(data)
            // No socket file: nothing outside the data folder to clean up.
            .args(["-h", "127.0.0.1", "-k", "", "-p"])
            .arg(self.options.port.to_string())
            .args(["-c", &format!("fsync={on_off}")])
            // Torn pages come from a power loss only.
            .args(["-c", &format!("full_page_writes={on_off}")])
            .args(["-c", &format!("max_connections={}", self.options.max_connections)])
            .args(["-c", "timezone=UTC", "-c", "log_timezone=UTC", "-c", "jit=off"])
            .current_dir(data);
        for (name, value) in &self.options.settings {
            command.args(["-c", &format!("{name}={value}")]);
        }
        let running = Running::spawn(command, WHAT, self.options.log.as_deref())?;
        self.running = Some(running);

        let connect = connect_options(self.options.port);
        let mut last_error = String::new();
        let result = wait::try_for("an answer to SQL", START_LIMIT, async || {
            if !self.running.as_mut().is_some_and(Running::is_running) {
                return Some(false);
            }
            match PgConnection::connect_with(&connect).await {
                Ok(connection) => {
                    let _ = connection.close().await;
                    Some(true)
                }
                Err(error) => {
                    last_error = error.to_string();
                    None
                }
            }
        })
        .await;
        match result {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.running = None;
                Err(ServerError::Refused { what: WHAT, detail: self.explain(&tail(self.options.log.as_deref())) })
            }
            Err(_) => {
                self.kill9();
                Err(self.silent(START_LIMIT, &last_error))
            }
        }
    }

    /// A killed server that nobody has reaped yet (its parent is gone, and the machine's first process
    /// is slow or does not care) still looks alive to PostgreSQL, which then refuses to start. Its
    /// lock is removed once nothing works in the data folder any more.
    async fn clear_lock_of_zombie(&self) -> Result<(), ServerError> {
        let data = &self.options.data_dir;
        let lock = data.join("postmaster.pid");
        let Some(pid) = fs::read_to_string(&lock).ok().and_then(|text| text.lines().next()?.trim().parse().ok()) else {
            return Ok(());
        };
        if ProcessId::of(pid).is_some() || !Path::new(&format!("/proc/{pid}")).exists() {
            // It lives, or PostgreSQL sees for itself that it is gone.
            return Ok(());
        }
        let alone = wait::try_for("its sessions end", STOP_LIMIT, async || processes_in(data).is_empty().then_some(()));
        alone.await.map_err(|elapsed| self.silent(STOP_LIMIT, &elapsed.to_string()))?;
        fs::remove_file(&lock).map_err(ServerError::io("remove", &lock))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.found.path.join(program));
        // Settings of the caller's own servers are not for this one.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        if let Some(user) = &self.user {
            user.apply(&mut command);
        }
        command
    }

    fn explain(&self, log: &str) -> String {
        if log.contains("No space left on device") {
            format!("the disk of {} is full; free some space and try again ({log})", self.options.data_dir.display())
        } else if log.is_empty() {
            "it ended at once".to_owned()
        } else {
            log.to_owned()
        }
    }

    fn silent(&self, limit: Duration, last_error: &str) -> ServerError {
        ServerError::Silent {
            what: WHAT,
            seconds: limit.as_secs(),
            detail: format!("{last_error} {}", tail(self.options.log.as_deref())),
        }
    }
}

/// The first line of initdb's output that tells of an error: what follows may be a page of SQL.
fn cause(stderr: &str) -> String {
    let tells = |line: &&str| ["error:", "FATAL:", "PANIC:", "ERROR:"].iter().any(|word| line.contains(word));
    stderr.lines().find(tells).or_else(|| stderr.lines().last()).unwrap_or_default().to_owned()
}

fn connect_options(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).username("postgres").database("postgres")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Immediate shutdown: unlike a kill it gives the shared memory back.
            running.signal(Signal::Quit);
            running.end_within(Duration::from_secs(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn the_cause_is_one_line() {
        let stderr =
            "warming up\n2026 FATAL:  could not extend file: No space left on device\nHINT: x\nCREATE VIEW y\n";
        assert_eq!(cause(stderr), "2026 FATAL:  could not extend file: No space left on device");
        assert_eq!(cause("first\nlast\n"), "last");
        assert_eq!(cause(""), "");
    }
}
