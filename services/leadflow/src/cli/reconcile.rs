//! `leadflow reconcile`: our payments beside the payment provider's own books.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use clap::Args as ClapArgs;
use leadflow_contracts::{
    billing::{Difference, ReconcileRequest, ReconcileResponse, payments_client::PaymentsClient},
    common,
};
use leadflow_kernel::{Clock as _, SystemClock};
use leadflow_platform::{
    grpc::{self, Caller},
    settings,
};

use crate::local::{environment, table};

/// The provider is asked about each charge that its books of this time do not show.
const DEADLINE: Duration = Duration::from_secs(300);
/// Without `--from`.
const USUAL: TimeDelta = TimeDelta::days(7);

/// What to compare.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// From then on: 2026-11-01 (midnight, UTC) or 2026-11-01T08:00:00Z; without, the seven days before --to
    #[arg(long, value_parser = time)]
    from: Option<DateTime<Utc>>,
    /// And before then; without, now
    #[arg(long, value_parser = time)]
    to: Option<DateTime<Utc>>,
}

/// Compares, prints every difference, and fails when there is one.
///
/// # Errors
/// When billing cannot be reached or refuses.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let url = env.or(
        "BILLING_GRPC_URL",
        "http://127.0.0.1:9102".to_owned(),
        "gRPC address or addresses of billing, comma-separated",
    );
    let token = settings::service_token(&mut env);
    env.finish()?;
    let to = args.to.unwrap_or_else(|| SystemClock.now());
    let from = args.from.unwrap_or(to - USUAL);
    let mut payments = PaymentsClient::new(grpc::channel(&url, "BILLING_GRPC_URL")?);
    let request = ReconcileRequest { from_ms: from.timestamp_millis(), to_ms: to.timestamp_millis() };
    let found = match payments.reconcile(Caller::new(token).unbound(request, DEADLINE)).await {
        Ok(found) => found.into_inner(),
        Err(refusal) => {
            let sentence = refusal.message().split_once(": ").map_or(refusal.message(), |(_, sentence)| sentence);
            bail!("the books were not compared: {sentence} (billing at {url})");
        }
    };
    print!("{}", text(from, to, &found));
    Ok(if found.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(from: DateTime<Utc>, to: DateTime<Utc>, found: &ReconcileResponse) -> String {
    let period = format!("{} to {}", shown(from), shown(to));
    let counts = format!("{} of ours, {} of the provider's", found.ours, found.theirs);
    if found.differences.is_empty() {
        return format!("{period}: {counts}; they agree\n");
    }
    let head = ["when", "difference", "provider's id", "payment", "ours", "theirs", ""].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(found.differences.iter().map(row)).collect();
    format!(
        "{period}: {counts}; {} differences, {} of them settled now\n\n{}",
        found.differences.len(),
        found.settled,
        table::columns(&rows)
    )
}

fn row(difference: &Difference) -> [String; 7] {
    let money = |money: &Option<common::Money>| {
        money.as_ref().map_or_else(|| "-".to_owned(), |money| format!("{} {}", money.amount, money.currency))
    };
    let id = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    [
        DateTime::from_timestamp_millis(difference.at_ms).map(shown).unwrap_or_default(),
        difference.kind.clone(),
        id(&difference.provider_id),
        id(&difference.payment_id),
        money(&difference.ours),
        money(&difference.theirs),
        if difference.settled { "settled".to_owned() } else { String::new() },
    ]
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn time(text: &str) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let at = DateTime::parse_from_rfc3339(text)
        .context("a day such as 2026-11-01, or a time such as 2026-11-01T08:00:00Z")?;
    Ok(at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_read() {
        assert_eq!(time("2026-11-01").unwrap(), time("2026-11-01T00:00:00Z").unwrap());
        assert_eq!(time("2026-11-01T02:00:00+02:00").unwrap(), time("2026-11-01").unwrap());
        for bad in ["", "yesterday", "2026-13-01", "2026-11-01 08:00"] {
            assert!(time(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_difference_is_a_line() {
        let (from, to) = (time("2026-11-01").unwrap(), time("2026-11-02").unwrap());
        let agree = ReconcileResponse { ours: 2, theirs: 2, ..ReconcileResponse::default() };
        let period = "2026-11-01T00:00:00Z to 2026-11-02T00:00:00Z";
        assert_eq!(text(from, to, &agree), format!("{period}: 2 of ours, 2 of the provider's; they agree\n"));

        let usd = |amount: &str| Some(common::Money { amount: amount.to_owned(), currency: "USD".to_owned() });
        let difference = Difference {
            kind: "uncredited_charge".to_owned(),
            provider_id: "ch_1".to_owned(),
            theirs: usd("50.00"),
            at_ms: from.timestamp_millis(),
            settled: true,
            ..Difference::default()
        };
        let found = ReconcileResponse { ours: 1, theirs: 2, differences: vec![difference], settled: 1 };
        let text = text(from, to, &found);
        assert!(text.contains("1 differences, 1 of them settled now"), "{text}");
        assert!(
            text.contains("2026-11-01T00:00:00Z  uncredited_charge  ch_1           -        -     50.00 USD  settled"),
            "{text}"
        );
    }
}
