//! What messages cost, by currency.

use leadflow_billing_domain::{UnitCost, UsageKind};
use leadflow_kernel::Currency;
use leadflow_platform::Env;
use rust_decimal::Decimal;

/// Digits behind the point that a cost may have.
const COST_DECIMALS: u32 = 6;

/// Reads one setting for each kind of message; problems are collected in `env`.
pub(super) fn costs(env: &mut Env) -> Vec<UnitCost> {
    [
        (
            UsageKind::Email,
            "USAGE_EMAIL_COST",
            "USD 0.001",
            "what a mail costs the platform, for each currency that tenants have: `USD 0.001, EUR 0.0009`; a number alone is \
             in dollars. What is sent for tenants with another currency is counted, and posted when there is a price",
        ),
        (UsageKind::Sms, "USAGE_SMS_COST", "USD 0.0079", "the same of a segment of an SMS"),
        (UsageKind::Webhook, "USAGE_WEBHOOK_COST", "USD 0.0001", "the same of a webhook"),
    ]
    .into_iter()
    .flat_map(|(kind, name, default, help)| {
        let text = env.or(name, default.to_owned(), help);
        let costs = parse(kind, &text);
        if costs.is_none() {
            env.problem(format!(
                "{name} must be costs such as `{default}, EUR 0.0009`: each currency once, 0 to 1000 with at most \
                 {COST_DECIMALS} decimals"
            ));
        }
        costs.unwrap_or_default()
    })
    .collect()
}

fn parse(kind: UsageKind, text: &str) -> Option<Vec<UnitCost>> {
    let mut costs: Vec<UnitCost> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let (currency, cost) = match part.split_once(char::is_whitespace) {
            Some((currency, cost)) => (Currency::parse(currency).ok()?, cost.trim_start()),
            None => (Currency::USD, part),
        };
        let cost = Decimal::from_str_exact(cost).ok().filter(|cost| {
            !cost.is_sign_negative() && *cost <= Decimal::ONE_THOUSAND && cost.normalize().scale() <= COST_DECIMALS
        })?;
        if costs.iter().any(|known| known.currency == currency) {
            return None;
        }
        costs.push(UnitCost { kind, currency, cost });
    }
    Some(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_by_currency() {
        let read = |text| {
            let costs = parse(UsageKind::Sms, text)?;
            Some(costs.iter().map(|one| format!("{} {}", one.currency, one.cost)).collect::<Vec<_>>())
        };
        assert_eq!(read("0.001").unwrap(), ["USD 0.001"]);
        assert_eq!(read("EUR  0.0009,USD 0.001 , JPY 1").unwrap(), ["EUR 0.0009", "USD 0.001", "JPY 1"]);
        assert_eq!(read("USD 0").unwrap(), ["USD 0"]);
        for bad in [
            "",
            "USD",
            "EUR 1,",
            "EUR 1, EUR 2",
            "1, USD 1",
            "eur 1",
            "EUR -1",
            "EUR 1 2",
            "EUR 1001",
            "EUR 0.0000001",
            "1e3",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
