//! Private PostgreSQL and nats-server processes on loopback ports.

mod disk;
mod find;
mod nats;
mod port;
mod postgres;
mod process;
mod prometheus;
mod signal;
mod user;

use std::{io, path::PathBuf};

pub use disk::free_disk_bytes;
pub use find::{Found, leadflow_home, nats_server, postgres_bin};
pub use nats::{Nats, NatsOptions, SyncInterval};
pub use port::{free_port, is_free};
pub use postgres::{Postgres, PostgresOptions};
pub use process::{ProcessId, Running, log_tail};
pub use prometheus::{Prometheus, PrometheusOptions};
pub use signal::Signal;
pub use user::{ServerUser, server_user};

/// Why a server cannot be found or started. The texts are for people and say how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No binary, or only too old ones.
    #[error("{what} {minimum} or newer was not found; run scripts/tools.sh, or set {setting}{}", .passed_over.iter().map(|p| format!("; passed over {p}")).collect::<String>())]
    NotFound {
        /// The server's name.
        what: &'static str,
        /// The oldest version that will do.
        minimum: &'static str,
        /// The environment variable that names one.
        setting: &'static str,
        /// What was found and is no use, with the reason.
        passed_over: Vec<String>,
    },
    /// Somebody else listens on the port.
    #[error("port {port} for {what} is in use by another program")]
    PortBusy {
        /// The server's name.
        what: &'static str,
        /// The port.
        port: u16,
    },
    /// PostgreSQL will not run as root, and there is no other user for it.
    #[error("PostgreSQL will not run as root, and there is neither a user \"postgres\" nor \"nobody\" on this machine")]
    NoUser,
    /// The user that the server runs as cannot enter the folder.
    #[error(
        "user {user} (PostgreSQL will not run as root) cannot enter {path}; set LEADFLOW_HOME to a folder that every user can enter, for example /var/lib/leadflow"
    )]
    Unreachable {
        /// The user's name.
        user: String,
        /// The folder.
        path: PathBuf,
    },
    /// The server, or initdb, said no.
    #[error("{what} did not start: {detail}")]
    Refused {
        /// The program's name.
        what: &'static str,
        /// The end of its log, or what it printed.
        detail: String,
    },
    /// It runs, but does not answer.
    #[error("{what} runs but did not answer within {seconds} s: {detail}")]
    Silent {
        /// The program's name.
        what: &'static str,
        /// How long it was waited for, in seconds.
        seconds: u64,
        /// The last error, and the end of its log.
        detail: String,
    },
    /// The operating system refused something.
    #[error("{action} {path}: {source}{}", full_disk_hint(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn full_disk_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; the disk is full: free some space and try again"
        }
        _ => "",
    }
}
