//! Settings of card payments, whoever the provider is.

use std::time::Duration;

use chrono::TimeDelta;
use leadflow_billing_domain::Bounds;
use leadflow_platform::{Env, settings::seconds};
use rust_decimal::Decimal;

use crate::app::payments::{CardAttempts, Policy};

/// What billing needs to know about card payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentSettings {
    /// What is settled about them.
    pub policy: Policy,
    /// How often due recharges and open payments are looked for.
    pub every: Duration,
}

impl PaymentSettings {
    /// Reads them; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let least =
            env.or("PAYMENTS_MIN_TOP_UP", Decimal::from(10), "the smallest charge of a card, in units of its currency");
        let most = env.or(
            "PAYMENTS_MAX_TOP_UP",
            Decimal::from(10_000),
            "the largest charge of a card, in units of its currency",
        );
        let minutes = env.or(
            "PAYMENTS_CONFIRM_WITHIN_MINUTES",
            60_u32,
            "minutes a card's owner has to confirm a charge with his bank, before it is given up",
        );
        let card_attempts = CardAttempts {
            tried: env.or(
                "PAYMENTS_CARD_ATTEMPTS_AN_HOUR",
                30,
                "times an hour that a buyer may begin to store a card, or name one to be stored; then 429",
            ),
            declined: env.or(
                "PAYMENTS_CARD_DECLINES_AN_HOUR",
                6,
                "declined top-ups and refused cards of a buyer an hour; then 429 for more of either",
            ),
        };
        let settings = Self {
            policy: Policy {
                bounds: Bounds { least, most },
                suspend_on_dispute: env.or(
                    "PAYMENTS_SUSPEND_ON_DISPUTE",
                    true,
                    "true: a buyer buys nothing while a payment of his is disputed, or he owes what a card took back",
                ),
                confirm_within: TimeDelta::minutes(minutes.into()),
                card_attempts,
            },
            every: seconds(
                env,
                "PAYMENTS_EVERY_SECONDS",
                1,
                "seconds between looks at wallets to recharge and at charges whose answer is not known",
            ),
        };
        let cents = |amount: Decimal| amount.normalize().scale() <= 2;
        if least <= Decimal::ZERO || most < least || !cents(least) || !cents(most) || most > Decimal::from(100_000_000)
        {
            env.problem(
                "PAYMENTS_MIN_TOP_UP and PAYMENTS_MAX_TOP_UP must be amounts like 10 or 10.50, the first more than zero and not above the second, \
                 the second at most 100000000",
            );
        }
        if minutes == 0 {
            env.problem("PAYMENTS_CONFIRM_WITHIN_MINUTES must be at least 1");
        }
        if card_attempts.tried == 0 || card_attempts.declined == 0 {
            env.problem("PAYMENTS_CARD_ATTEMPTS_AN_HOUR and PAYMENTS_CARD_DECLINES_AN_HOUR must be at least 1");
        }
        if settings.every.is_zero() {
            env.problem("PAYMENTS_EVERY_SECONDS must be at least 1");
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> usize {
        let mut env = Env::from_pairs(pairs.iter().copied());
        PaymentSettings::read(&mut env);
        env.finish().map_or_else(|error| error.problems.len(), |()| 0)
    }

    #[test]
    fn impossible_bounds_and_times_are_named() {
        assert_eq!(problems(&[]), 0);
        assert_eq!(problems(&[("PAYMENTS_MIN_TOP_UP", "10.50"), ("PAYMENTS_MAX_TOP_UP", "10.50")]), 0);
        for (least, most) in [("0", "5"), ("-1", "5"), ("6", "5"), ("1.001", "5"), ("1", "1000000000")] {
            assert_eq!(problems(&[("PAYMENTS_MIN_TOP_UP", least), ("PAYMENTS_MAX_TOP_UP", most)]), 1, "{least} {most}");
        }
        assert_eq!(problems(&[("PAYMENTS_CARD_DECLINES_AN_HOUR", "0")]), 1);
        assert_eq!(problems(&[("PAYMENTS_CARD_ATTEMPTS_AN_HOUR", "0")]), 1);
        assert_eq!(problems(&[("PAYMENTS_EVERY_SECONDS", "0"), ("PAYMENTS_CONFIRM_WITHIN_MINUTES", "0")]), 2);
    }
}
