//! Numbers that only the database knows, looked up now and then.

use std::time::Duration;

use opentelemetry::{KeyValue, metrics::Gauge};
use sqlx::{AssertSqlSafe, PgPool};

use super::gauge;
use crate::Shutdown;

/// How often a sample is taken.
pub const EVERY: Duration = Duration::from_secs(10);

/// A gauge with the statement that tells its values.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The gauge's name.
    pub name: &'static str,
    /// Its unit, see [`gauge`].
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
    /// The label whose values are the rows' first column; empty: none.
    pub label: &'static str,
    /// Rows of `(text, double precision)`: always the same rows, so that none keeps an old value. Cheap: it runs every [`EVERY`] on every replica.
    pub sql: &'static str,
}

/// Takes `samples`, and how long the outbox of `schema` has waited, until `shutdown`. A database that is away leaves the last
/// values, and is told elsewhere (`leadflow.ready`).
pub async fn watch(pool: PgPool, schema: &'static str, samples: &'static [Sample], shutdown: Shutdown) {
    let overdue = overdue(schema);
    let outbox = gauge(
        "leadflow.outbox.overdue",
        "s",
        "since when the oldest event in the outbox should have been published; 0: none waits",
    );
    let gauges: Vec<Gauge<f64>> = samples.iter().map(|sample| gauge(sample.name, sample.unit, sample.help)).collect();
    while !shutdown.is_cancelled() {
        look(&pool, &overdue, "schema", &outbox).await;
        for (sample, gauge) in samples.iter().zip(&gauges) {
            look(&pool, sample.sql, sample.label, gauge).await;
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// A row's age is in its id (UUIDv7), less the ten seconds that whoever wrote it has to publish it. When it is tried again says nothing: that
/// moves on with each try that fails.
fn overdue(schema: &str) -> String {
    format!(
        "SELECT '{schema}', coalesce(greatest(0, extract(epoch FROM now()) - 10 - (SELECT \
         ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0 FROM {schema}.outbox ORDER BY id LIMIT 1)), \
         0)::double precision"
    )
}

async fn look(pool: &PgPool, sql: &str, label: &'static str, gauge: &Gauge<f64>) {
    let rows: Result<Vec<(String, f64)>, _> = sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(pool).await;
    match rows {
        Ok(rows) => {
            for (value, amount) in rows {
                if label.is_empty() {
                    gauge.record(amount, &[]);
                } else {
                    gauge.record(amount, &[KeyValue::new(label, value)]);
                }
            }
        }
        Err(error) => tracing::debug!(%error, "a number for metrics could not be looked up"),
    }
}
