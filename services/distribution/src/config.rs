//! Settings.

use std::time::Duration;

use leadflow_platform::{
    Env,
    db::DbSettings,
    grpc::ServiceToken,
    settings::{self, seconds},
};

/// What distribution needs to know.
#[derive(Clone)]
pub struct Config {
    /// Its database.
    pub database: DbSettings,
    /// The secret that callers show, and that it shows billing.
    pub token: ServiceToken,
    /// Where billing answers gRPC.
    pub billing_url: String,
    /// The most leads decided together.
    pub max_batch: usize,
    /// How often everything for sale is looked at again although nothing told of a change.
    pub retry_everything_every: Duration,
    /// After how many days leads are masked of sellers who chose no number; 0: never.
    pub retention_days: u32,
}

/// Ten years.
const MAX_RETENTION_DAYS: u32 = 3_650;

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let config = Self {
            database: settings::database(env, "DISTRIBUTION_DATABASE_URL", crate::ROLE, "leadflow-distribution"),
            token: settings::service_token(env),
            billing_url: env.or(
                "BILLING_GRPC_URL",
                "http://127.0.0.1:9102".to_owned(),
                "gRPC address or addresses of billing, comma-separated",
            ),
            max_batch: env.or("DISTRIBUTION_MAX_BATCH", 256_usize, "leads decided together at most"),
            retry_everything_every: seconds(
                env,
                "DISTRIBUTION_RETRY_EVERYTHING_SECONDS",
                900,
                "seconds between looks at every unsold lead, for changes that no event tells of",
            ),
            retention_days: env.or(
                "RETENTION_DAYS",
                0_u32,
                "days after which personal data of leads is removed, for sellers who chose no number; 0: it is kept",
            ),
        };
        if config.max_batch == 0 {
            env.problem("DISTRIBUTION_MAX_BATCH must be at least 1");
        }
        if config.retention_days > MAX_RETENTION_DAYS {
            env.problem("RETENTION_DAYS must be at most 3650");
        }
        if config.retry_everything_every.is_zero() {
            env.problem("DISTRIBUTION_RETRY_EVERYTHING_SECONDS must be at least 1");
        }
        config
    }
}
