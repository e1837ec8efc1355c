//! Settings.

mod payments;
mod usage;

use std::time::Duration;

use leadflow_billing_domain::{UnitCost, UsageKind};
use leadflow_platform::{
    Env,
    db::DbSettings,
    grpc::ServiceToken,
    settings::{self, seconds},
};

pub use payments::PaymentSettings;

use crate::outbound::stripe::StripeSettings;

/// What billing needs to know.
#[derive(Clone)]
pub struct Config {
    /// Its database.
    pub database: DbSettings,
    /// The secret that callers show, and that it shows others.
    pub token: ServiceToken,
    /// Where distribution answers gRPC.
    pub distribution_url: String,
    /// How long a hold may stand before distribution is asked whether it is needed.
    pub release_after: Duration,
    /// How often such holds are looked for.
    pub release_every: Duration,
    /// The most events a transaction captures.
    pub max_batch: usize,
    /// Card payments.
    pub payments: PaymentSettings,
    /// The connection to Stripe.
    pub stripe: StripeSettings,
    /// What a message costs the platform, in the currencies that have a price.
    pub usage_costs: Vec<UnitCost>,
    /// How often is looked whether a month is over whose messages are not posted.
    pub usage_every: Duration,
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let config = Self {
            database: settings::database(env, "BILLING_DATABASE_URL", crate::ROLE, "leadflow-billing"),
            token: settings::service_token(env),
            distribution_url: env.or(
                "DISTRIBUTION_GRPC_URL",
                "http://127.0.0.1:9103".to_owned(),
                "gRPC address or addresses of distribution, comma-separated",
            ),
            release_after: seconds(
                env,
                "BILLING_RELEASE_AFTER_SECONDS",
                60,
                "seconds a hold may stand before distribution is asked whether it is needed",
            ),
            release_every: seconds(env, "BILLING_RELEASE_EVERY_SECONDS", 10, "seconds between looks at old holds"),
            max_batch: env.or("BILLING_MAX_BATCH", 256_usize, "events captured in one transaction at most"),
            payments: PaymentSettings::read(env),
            stripe: StripeSettings::read(env),
            usage_costs: usage::costs(env),
            usage_every: seconds(
                env,
                "USAGE_EVERY_SECONDS",
                600,
                "seconds between looks at months whose messages are due",
            ),
        };
        if config.release_every.is_zero() {
            env.problem("BILLING_RELEASE_EVERY_SECONDS must be at least 1");
        }
        if config.max_batch == 0 {
            env.problem("BILLING_MAX_BATCH must be at least 1");
        }
        if config.usage_every.is_zero() {
            env.problem("USAGE_EVERY_SECONDS must be at least 1");
        }
        config
    }

    /// The kinds of messages (`email`, `sms`, `webhook`) that have no price in a currency.
    #[must_use]
    pub fn kinds_without_a_price(&self, currency: &str) -> Vec<&'static str> {
        let priced = |kind| self.usage_costs.iter().any(|cost| cost.kind == kind && cost.currency.code() == currency);
        UsageKind::ALL.into_iter().filter(|kind| !priced(*kind)).map(UsageKind::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_a_minute_and_impossible_settings_are_named() {
        let base = [("DATABASE_URL", "postgres://x"), ("SERVICE_TOKEN", "0123456789abcdef")];
        let mut env = Env::from_pairs(base);
        let config = Config::read(&mut env);
        assert_eq!((config.release_after, config.max_batch), (Duration::from_secs(60), 256));
        assert!(env.finish().is_ok());
        assert!(config.kinds_without_a_price("USD").is_empty());
        assert_eq!(config.kinds_without_a_price("EUR"), ["email", "sms", "webhook"]);

        let bad = [
            ("BILLING_RELEASE_EVERY_SECONDS", "0"),
            ("BILLING_MAX_BATCH", "0"),
            ("USAGE_EVERY_SECONDS", "0"),
            ("USAGE_EMAIL_COST", "-1"),
            ("USAGE_SMS_COST", "0.0000001"),
            ("USAGE_WEBHOOK_COST", "USD 0.0001 EUR 0.0001"),
        ];
        let mut env = Env::from_pairs(base.into_iter().chain(bad));
        Config::read(&mut env);
        let problems = env.finish().unwrap_err().problems;
        assert_eq!(problems.len(), 6, "{problems:?}");
    }
}
