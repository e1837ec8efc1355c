//! Settings.

use leadflow_platform::Env;

/// What the sandbox needs to know; the defaults are fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Webhooks kept; the oldest go first.
    pub max_records: usize,
    /// Bytes of all bodies kept; the oldest go first.
    pub max_bytes: usize,
    /// Webhook ids remembered per name, for telling repeats.
    pub max_ids: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_records: 10_000, max_bytes: 64 << 20, max_ids: 500_000 }
    }
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let default = Self::default();
        Self {
            max_records: env.or("SANDBOX_MAX_RECORDS", default.max_records, "webhooks the sandbox keeps"),
            ..default
        }
    }
}
