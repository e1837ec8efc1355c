//! Settings of the connection to Stripe.

use std::{fmt, time::Duration};

use leadflow_platform::{Env, settings::seconds};

const STRIPE: &str = "https://api.stripe.com";

/// What the connection to Stripe needs. Secrets are not printed.
#[derive(Clone)]
pub struct StripeSettings {
    /// `sk_…` or `rk_…`; `None`: payments are not configured.
    pub secret_key: Option<String>,
    /// `pk_…`, for front ends.
    pub publishable_key: String,
    /// What webhooks are signed with, `whsec_…`; several while one replaces another; none: webhooks are refused.
    pub webhook_secrets: Vec<String>,
    /// Where Stripe answers.
    pub api_base: String,
    /// How far a webhook's time may be from ours.
    pub tolerance: Duration,
    /// How long a call may take, to the last byte of its answer.
    pub timeout: Duration,
    /// How long webhooks are kept once they were worked off.
    pub events_kept_days: u16,
    /// How many days before today are compared with Stripe's books, once a day.
    pub reconcile_days: u16,
}

impl fmt::Debug for StripeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeSettings")
            .field("configured", &self.secret_key.is_some())
            .field("webhook_secrets", &self.webhook_secrets.len())
            .field("api_base", &self.api_base)
            .finish_non_exhaustive()
    }
}

impl StripeSettings {
    /// Reads them; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let settings = Self {
            secret_key: env.optional_secret(
                "STRIPE_SECRET_KEY",
                "Stripe's secret or restricted key (sk_… or rk_…); none: card payments answer payments_not_configured",
            ),
            publishable_key: env
                .optional("STRIPE_PUBLISHABLE_KEY", "Stripe's publishable key (pk_…), handed to front ends")
                .unwrap_or_default(),
            webhook_secrets: env
                .optional_secret(
                    "STRIPE_WEBHOOK_SECRET",
                    "signing secret of Stripe's webhook endpoint (whsec_…); several, comma-separated, while one replaces \
                     another; none: webhooks of Stripe are refused",
                )
                .map(|text| text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect())
                .unwrap_or_default(),
            api_base: env.or("STRIPE_API_BASE", STRIPE.to_owned(), "URL under which Stripe's API answers /v1/…"),
            tolerance: seconds(
                env,
                "STRIPE_WEBHOOK_TOLERANCE_SECONDS",
                300,
                "seconds that a webhook's time of signing may be from ours",
            ),
            timeout: seconds(
                env,
                "STRIPE_TIMEOUT_SECONDS",
                20,
                "seconds a call of Stripe may take, to the last byte of its answer",
            ),
            events_kept_days: env.or("STRIPE_EVENTS_KEPT_DAYS", 90_u16, "days that Stripe's webhooks are kept once they were worked off"),
            reconcile_days: env.or("RECONCILE_DAYS", 3_u16, "days before today whose payments are compared with Stripe's books, once a day; 1 to 100"),
        };
        settings.check(env);
        settings
    }

    fn check(&self, env: &mut Env) {
        let base = &self.api_base;
        let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        if rest.is_none_or(str::is_empty) || base.contains(['?', '#', ' ', '@']) {
            env.problem("STRIPE_API_BASE must be a plain http or https URL");
        }
        if self.timeout.is_zero() {
            env.problem("STRIPE_TIMEOUT_SECONDS must be at least 1");
        }
        if self.tolerance.is_zero() {
            env.problem("STRIPE_WEBHOOK_TOLERANCE_SECONDS must be at least 1");
        }
        if !(1..=100).contains(&self.reconcile_days) {
            env.problem("RECONCILE_DAYS must be 1 to 100");
        }
        let Some(key) = &self.secret_key else {
            if !self.webhook_secrets.is_empty() {
                env.problem(
                    "STRIPE_WEBHOOK_SECRET is set, but STRIPE_SECRET_KEY is not: webhooks cannot be worked off",
                );
            }
            return;
        };
        if key.starts_with("pk_") || key.starts_with("whsec_") || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            env.problem("STRIPE_SECRET_KEY must be a secret or restricted key (sk_… or rk_…)");
        }
        let live = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        if live && !base.starts_with("https://") {
            env.problem("STRIPE_API_BASE must be https: STRIPE_SECRET_KEY is a live key");
        }
        if self.publishable_key.is_empty() {
            env.problem(
                "STRIPE_PUBLISHABLE_KEY is not set, but STRIPE_SECRET_KEY is: front ends need it to store cards",
            );
        } else if live != self.publishable_key.starts_with("pk_live_") {
            env.problem("STRIPE_PUBLISHABLE_KEY and STRIPE_SECRET_KEY must be both live keys or both test keys");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        let mut env = Env::from_pairs(pairs.iter().copied());
        StripeSettings::read(&mut env);
        env.finish().map_or_else(|error| error.problems, |()| Vec::new())
    }

    #[test]
    fn nothing_set_is_not_configured() {
        let mut env = Env::from_pairs([]);
        let settings = StripeSettings::read(&mut env);
        assert!(env.finish().is_ok() && settings.secret_key.is_none() && settings.webhook_secrets.is_empty());
        assert_eq!(settings.api_base, STRIPE);
    }

    #[test]
    fn several_webhook_secrets_and_none_is_printed() {
        let mut env = Env::from_pairs([
            ("STRIPE_SECRET_KEY", "sk_test_verysecret"),
            ("STRIPE_PUBLISHABLE_KEY", "pk_test_1"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_new , whsec_old,"),
        ]);
        let settings = StripeSettings::read(&mut env);
        assert!(env.finish().is_ok());
        assert_eq!(settings.webhook_secrets, ["whsec_new", "whsec_old"]);
        let printed = format!("{settings:?}");
        assert!(!printed.contains("verysecret") && !printed.contains("whsec_new"), "{printed}");
    }

    #[test]
    fn mixed_up_keys_are_named_and_not_repeated() {
        let live = ("STRIPE_SECRET_KEY", "sk_live_x");
        assert_eq!(problems(&[live]).len(), 1);
        assert_eq!(problems(&[live, ("STRIPE_PUBLISHABLE_KEY", "pk_test_x")]).len(), 1);
        assert_eq!(problems(&[live, ("STRIPE_PUBLISHABLE_KEY", "pk_live_x")]), [""; 0]);
        let plain = [live, ("STRIPE_PUBLISHABLE_KEY", "pk_live_x"), ("STRIPE_API_BASE", "http://127.0.0.1:1/stripe")];
        assert_eq!(problems(&plain).len(), 1);
        let swapped = problems(&[("STRIPE_SECRET_KEY", "pk_test_a"), ("STRIPE_PUBLISHABLE_KEY", "pk_test_x")]);
        assert!(swapped.len() == 1 && !swapped[0].contains("pk_test_a"), "{swapped:?}");
        for base in ["ftp://x", "https://", "https://u@h", "https://h?x"] {
            assert_eq!(problems(&[("STRIPE_API_BASE", base)]).len(), 1, "{base}");
        }
    }
}
