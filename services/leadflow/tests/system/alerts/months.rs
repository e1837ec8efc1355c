//! Alerts about rows that no month's partition takes.

use std::time::Instant;

use chrono::Months;
use leadflow_kernel::{Clock as _, SystemClock};
use leadflow_testkit::wait;
use sqlx::AssertSqlSafe;

use super::Scene;
use crate::world::PATIENCE;

/// More than are made ahead.
const AHEAD: Months = Months::new(12);

/// Which months are missing: the runbook's words.
const MONTHS: [&str; 2] = [
    "SELECT DISTINCT date_trunc('month', received_at, 'UTC') FROM distribution.leads_default",
    "SELECT DISTINCT date_trunc('month', started_at, 'UTC') FROM notifier.attempts_default",
];
/// What makes one, likewise.
const MAKE: [&str; 2] = ["SELECT distribution.make_months('MONTH', 0)", "SELECT notifier.make_months('MONTH', 0)"];

impl Scene {
    /// The clock of a gateway is a year ahead.
    pub async fn a_lead_is_of_next_year(&self) {
        let began = Instant::now();
        let then = SystemClock.now().checked_add_months(AHEAD).unwrap();
        self.bus.publish(&[self.test_lead(10, then)]).await.unwrap();
        self.watch.fires("LeadsOutsideMonths", &[], began).await;
        self.months_are_made(MONTHS[0], MAKE[0]).await;
        self.watch.ends("LeadsOutsideMonths", &[]).await;
    }

    /// That of a notifier was, when it made one of its attempts.
    pub async fn an_attempt_is_of_next_year(&self) {
        let began = Instant::now();
        wait::until("an attempt is moved to next year", PATIENCE, async || {
            self.sql(
                "UPDATE notifier.attempts SET started_at = started_at + interval '1 year' WHERE (delivery_id, number) IN \
                 (SELECT delivery_id, number FROM notifier.attempts ORDER BY started_at LIMIT 1)",
            )
            .await
                == 1
        })
        .await;
        self.watch.fires("AttemptsOutsideMonths", &[], began).await;
        self.months_are_made(MONTHS[1], MAKE[1]).await;
        self.watch.ends("AttemptsOutsideMonths", &[]).await;
    }

    /// As the runbook says; again while the tables are too busy.
    async fn months_are_made(&self, months: &'static str, make: &'static str) {
        wait::until("the months are made", PATIENCE, async || {
            let ask = format!("SELECT month::text FROM ({months}) AS missing (month)");
            let missing: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(ask)).fetch_all(&self.world.books).await.unwrap();
            for month in &missing {
                let _ = sqlx::query(AssertSqlSafe(make.replace("MONTH", month))).execute(&self.world.books).await;
            }
            missing.is_empty()
        })
        .await;
    }
}

#[test]
fn the_runbook_has_what_is_done_here() {
    let runbook = std::fs::read_to_string(super::rules::root().join("docs/runbook.md")).unwrap();
    for words in MONTHS.iter().chain(&MAKE) {
        assert!(runbook.contains(words), "{words}");
    }
}
