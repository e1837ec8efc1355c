//! Settings.

mod payments;

use std::time::Duration;

use leadflow_billing_domain::UsageKind;
use leadflow_platform::{
    Env,
    db::DbSettings,
    grpc::ServiceToken,
    settings::{self, seconds},
};
use rust_decimal::Decimal;

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
    /// What a message costs the platform, in its currency.
    pub usage_costs: [(UsageKind, Decimal); 3],
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
            usage_costs: [
                (
                    UsageKind::Email,
                    cost(env, "USAGE_EMAIL_COST", "0.001", "what a mail costs the platform, in dollars"),
                ),
                (UsageKind::Sms, cost(env, "USAGE_SMS_COST", "0.0079", "what a segment of an SMS costs, in dollars")),
                (UsageKind::Webhook, cost(env, "USAGE_WEBHOOK_COST", "0.0001", "what a webhook costs, in dollars")),
            ],
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
}

/// Digits behind the point that a cost may have.
const COST_DECIMALS: u32 = 6;

/// A price that may be far less than a cent.
fn cost(env: &mut Env, name: &'static str, default: &'static str, help: &'static str) -> Decimal {
    let text = env.or(name, default.to_owned(), help);
    let cost = Decimal::from_str_exact(&text).ok().filter(|cost| {
        !cost.is_sign_negative() && *cost <= Decimal::ONE_THOUSAND && cost.normalize().scale() <= COST_DECIMALS
    });
    cost.unwrap_or_else(|| {
        env.problem(format!("{name} must be 0 to 1000 with at most {COST_DECIMALS} decimals, such as {default}"));
        Decimal::ZERO
    })
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

        let bad = [
            ("BILLING_RELEASE_EVERY_SECONDS", "0"),
            ("BILLING_MAX_BATCH", "0"),
            ("USAGE_EVERY_SECONDS", "0"),
            ("USAGE_EMAIL_COST", "-1"),
            ("USAGE_SMS_COST", "0.0000001"),
            ("USAGE_WEBHOOK_COST", "1e3"),
        ];
        let mut env = Env::from_pairs(base.into_iter().chain(bad));
        Config::read(&mut env);
        let problems = env.finish().unwrap_err().problems;
        assert_eq!(problems.len(), 6, "{problems:?}");
    }
}
