//! Settings of `leadflow up`.

use leadflow_platform::Env;
use leadflow_testkit::servers::SyncInterval;

use crate::role::{Ports, Role};

/// What `up` is to start, and where.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// An existing PostgreSQL to use instead of a private one.
    pub database_url: Option<String>,
    /// An existing NATS to use instead of a private one.
    pub nats_url: Option<String>,
    /// The private PostgreSQL's port.
    pub postgres_port: u16,
    /// The private nats-server's port.
    pub nats_port: u16,
    /// When the private nats-server flushes to the disk.
    pub nats_sync: SyncInterval,
    /// Each role's ports.
    pub roles: Vec<(Role, Ports)>,
}

/// Setting of the private PostgreSQL's port.
pub const POSTGRES_PORT: &str = "LEADFLOW_PG_PORT";
/// Setting of the private nats-server's port.
pub const NATS_PORT: &str = "LEADFLOW_NATS_PORT";

impl LocalSettings {
    /// Reads them; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        // Read where they are used, before any setting can be; here they are only told of.
        for (name, help) in [
            ("LEADFLOW_HOME", "folder of data, logs and tools; none: `.leadflow` here or above"),
            ("LEADFLOW_PG_BIN", "folder of PostgreSQL's programs, 15 or newer; none: they are looked for"),
            ("LEADFLOW_NATS_SERVER", "path of nats-server, 2.12.3 or newer; none: it is looked for"),
        ] {
            let _: Option<String> = env.optional(name, help);
        }
        Self {
            database_url: env
                .optional("DATABASE_URL", "PostgreSQL to use; none: `up` starts a private one under .leadflow/"),
            nats_url: env.optional("NATS_URL", "NATS to use; none: `up` starts a private one under .leadflow/"),
            postgres_port: env.or(POSTGRES_PORT, 15432, "port of the private PostgreSQL"),
            nats_port: env.or(NATS_PORT, 14222, "port of the private nats-server"),
            nats_sync: env.or(
                "NATS_SYNC",
                SyncInterval::Always,
                "when the private nats-server flushes to the disk: always (before it acknowledges), or a duration such as 2m",
            ),
            roles: Role::ALL.iter().map(|role| (*role, Ports::read(env, *role))).collect(),
        }
    }
}
