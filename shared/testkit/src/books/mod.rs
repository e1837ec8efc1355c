//! The book checker: reads the tables of every service and says which promises of the system are
//! broken. It knows only tables; no line of it is shared with the services that write them, so a
//! mistake of theirs cannot hide itself.
//!
//! ```no_run
//! # use leadflow_testkit::books::{self, Expectations};
//! # async fn example(pool: &sqlx::PgPool) -> anyhow::Result<()> {
//! books::wait_until_settled(pool, &[], std::time::Duration::from_secs(60)).await?;
//! let report = books::check(pool, &Expectations::settled()).await?;
//! println!("{report}");
//! assert!(report.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! All schemas must be in one database, and the connection must be allowed to read all of them.

mod answers;
mod invariants;
mod report;
mod sent;
mod settle;
mod stripe;
#[cfg(test)]
mod tests;

use anyhow::Context as _;
use leadflow_kernel::SubscriptionId;
use sqlx::{AssertSqlSafe, Connection as _, PgPool, Row as _};
use uuid::Uuid;

pub use answers::{Answer, Answered};
pub use invariants::Invariant;
pub use report::{Finding, Report};
pub use settle::{Unsettled, wait_until_settled};
pub use stripe::{StripeCharge, StripeDispute, StripeRecord, StripeRefund};

/// Offending rows that are shown of each broken invariant.
const EXAMPLES: i64 = 5;

/// What the caller knows and the tables do not say.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// What suppliers were told with a 2xx, one entry a lead.
    pub answers: Vec<Answer>,
    /// Everything has come to rest ([`wait_until_settled`]): no work may be left over.
    pub settled: bool,
    /// Subscriptions whose cap or states changed after they had bought something: old sales are not
    /// judged by today's rules. (Nothing else that is judged by its present state, as a campaign's
    /// logic or a seller's time zone, may have changed.)
    pub changed_subscriptions: Vec<SubscriptionId>,
    /// What moved at Stripe, to be compared with the payments, refunds and disputes in the tables. Without it
    /// only our own side is looked at.
    pub stripe: Option<StripeRecord>,
}

impl Expectations {
    /// Everything has come to rest, and nothing is known of answers.
    #[must_use]
    pub fn settled() -> Self {
        Self { settled: true, ..Self::default() }
    }
}

/// Checks every invariant on one consistent snapshot of the database. Writes nothing.
///
/// # Errors
/// When the database cannot be read. A broken invariant is no error: see [`Report::is_clean`].
pub async fn check(pool: &PgPool, expectations: &Expectations) -> anyhow::Result<Report> {
    let mut connection = pool.acquire().await.context("connect")?;
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    // Every query reads whole tables: a nested loop is never the best plan, and sometimes chosen.
    sqlx::raw_sql(
        "SET LOCAL statement_timeout = 0; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off",
    )
    .execute(&mut *transaction)
    .await?;
    answers::load(&mut transaction, &expectations.answers).await.context("load the answers")?;
    sent::load(&mut transaction).await.context("load what was sent")?;
    let changed: Vec<Uuid> = expectations.changed_subscriptions.iter().map(|id| id.uuid()).collect();
    sqlx::query("CREATE TEMP TABLE books_changed ON COMMIT DROP AS SELECT unnest($1::uuid[]) AS subscription_id")
        .bind(changed)
        .execute(&mut *transaction)
        .await?;
    if let Some(record) = &expectations.stripe {
        stripe::load(&mut transaction, record).await.context("load Stripe's record")?;
    }
    let mut findings = Vec::new();
    for invariant in invariants::to_check(expectations) {
        let checked = format!("SELECT count(*) FROM ({}) AS checked", invariant.checked);
        let broken =
            format!("SELECT count(*) OVER (), what FROM ({}) AS broken (what) LIMIT {EXAMPLES}", invariant.broken);
        let checked: i64 = sqlx::query_scalar(AssertSqlSafe(checked))
            .fetch_one(&mut *transaction)
            .await
            .with_context(|| format!("count the rows for {}", invariant.name))?;
        let rows = sqlx::query(AssertSqlSafe(broken))
            .fetch_all(&mut *transaction)
            .await
            .with_context(|| format!("check {}", invariant.name))?;
        findings.push(Finding {
            invariant,
            checked,
            violations: rows.first().map_or(Ok(0), |row| row.try_get(0))?,
            examples: rows.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?,
        });
    }
    transaction.rollback().await?;
    Ok(Report { findings })
}
