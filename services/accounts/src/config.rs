//! Settings.

use leadflow_platform::{Env, db::DbSettings, grpc::ServiceToken, settings};

/// What accounts needs to know.
#[derive(Clone)]
pub struct Config {
    /// Its database.
    pub database: DbSettings,
    /// The secret that callers show.
    pub token: ServiceToken,
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        Self {
            database: settings::database(env, "ACCOUNTS_DATABASE_URL", crate::ROLE, "leadflow-accounts"),
            token: settings::service_token(env),
        }
    }
}
