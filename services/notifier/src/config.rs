//! Settings.

use std::time::Duration;

use leadflow_platform::{Env, db::DbSettings, grpc::ServiceToken, settings};

use crate::secrets::SecretKeys;

/// What notifier needs to know.
#[derive(Clone)]
pub struct Config {
    /// Its database.
    pub database: DbSettings,
    /// The secret that callers show.
    pub token: ServiceToken,
    /// What endpoints' secrets are encrypted with.
    pub keys: SecretKeys,
    /// Lets endpoints be on this machine; for development.
    pub allow_loopback: bool,
    /// How long a receiver may take, to the last byte of its answer.
    pub timeout: Duration,
    /// How many requests, and to whom, are made at once.
    pub limits: Limits,
    /// How often the table is asked for what is due.
    pub poll: Duration,
}

/// What one replica bears. What does not fit waits in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once.
    pub in_flight: usize,
    /// Requests at once to one endpoint.
    pub per_endpoint: usize,
    /// Deliveries in memory, those in flight included.
    pub held: usize,
    /// Deliveries in memory for one endpoint.
    pub held_per_endpoint: usize,
    /// Deliveries in memory for an endpoint whose last attempt failed: few, so that a receiver that
    /// hangs holds little.
    pub held_when_failing: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 512, per_endpoint: 16, held: 4_096, held_per_endpoint: 256, held_when_failing: 2 }
    }
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let limits = Limits::default();
        let keys = env.required_secret(
            "SECRETS_KEY",
            "base64 of 32 random bytes that stored secrets are encrypted with; several, comma-separated, while one \
             replaces another: the first encrypts, all decrypt",
        );
        let keys = if keys.is_empty() { Ok(SecretKeys::default()) } else { SecretKeys::parse(&keys) };
        Self {
            database: settings::database(env, "NOTIFIER_DATABASE_URL", crate::ROLE, "leadflow-notifier"),
            token: settings::service_token(env),
            keys: keys.unwrap_or_else(|error| {
                env.problem(format!("SECRETS_KEY {error}"));
                SecretKeys::default()
            }),
            allow_loopback: env.or(
                "WEBHOOK_ALLOW_LOOPBACK",
                false,
                "true lets webhooks go to this machine; for development only",
            ),
            timeout: settings::millis(env, "WEBHOOK_TIMEOUT_MS", 30_000, "time a receiver has, to the last byte"),
            limits: Limits {
                in_flight: env.or("WEBHOOK_CONCURRENCY", limits.in_flight, "webhook requests at once"),
                per_endpoint: env.or("WEBHOOK_CONCURRENCY_PER_ENDPOINT", limits.per_endpoint, "and to one endpoint"),
                ..limits
            },
            poll: Duration::from_millis(500),
        }
    }

    /// How long a delivery belongs to whoever took it: time for the request, and as much again to
    /// wait for its turn and to record the result. Replicas' clocks may differ by less than that.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(5)
    }
}
