//! What the database itself can tell about a run.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use leadflow_testkit::{books, wait};
use sqlx::PgPool;

/// Counters that only grow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Bytes of write-ahead log.
    pub wal_bytes: f64,
    /// Bytes of tables and indexes, with what is dead in them.
    pub stored_bytes: f64,
    /// Rows inserted, updated and deleted.
    pub rows: f64,
    /// Transactions committed, those that only read included.
    pub commits: f64,
    /// Statements, `BEGIN` and `COMMIT` included; none without `pg_stat_statements`.
    pub statements: Option<f64>,
    /// Deliveries written.
    pub deliveries: i64,
}

impl Counters {
    /// Reads them. PostgreSQL publishes row counters up to a second late: wait before the last reading.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn read(pool: &PgPool) -> anyhow::Result<Self> {
        let (wal_bytes, stored_bytes, rows, commits): (f64, f64, f64, f64) = sqlx::query_as(
            "SELECT (pg_current_wal_lsn() - '0/0')::float8, pg_database_size(current_database())::float8, (tup_inserted + tup_updated + tup_deleted)::float8, \
             xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(pool)
        .await?;
        let deliveries = sqlx::query_scalar("SELECT count(*) FROM notifier.deliveries").fetch_one(pool).await?;
        let statements =
            sqlx::query_scalar("SELECT sum(calls)::float8 FROM pg_stat_statements").fetch_one(pool).await.ok();
        Ok(Self { wal_bytes, stored_bytes, rows, commits, statements, deliveries })
    }

    /// What was added since, for each of so many leads.
    pub fn per_lead_since(&self, before: &Self, leads: u64) -> Self {
        let leads = leads as f64;
        Self {
            wal_bytes: (self.wal_bytes - before.wal_bytes) / leads,
            stored_bytes: (self.stored_bytes - before.stored_bytes) / leads,
            rows: (self.rows - before.rows) / leads,
            commits: (self.commits - before.commits) / leads,
            statements: self.statements.zip(before.statements).map(|(now, then)| (now - then) / leads),
            deliveries: self.deliveries - before.deliveries,
        }
    }
}

/// Waits until all work is done and says when the last delivery was written and the last hold
/// captured, by the services' clock.
///
/// # Errors
/// When it does not end, or a lead was not sold exactly once.
pub async fn rest(pool: &PgPool, before: &Counters, leads: u64, patience: Duration) -> anyhow::Result<DateTime<Utc>> {
    let wanted = before.deliveries + i64::try_from(leads)?;
    // Cheap and a second late, so that waiting costs the machine nothing; then the exact question.
    let written = wait::try_for("deliveries are written", patience, async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let inserted: Result<i64, _> = sqlx::query_scalar(
            "SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'notifier' AND relname = 'deliveries'",
        )
        .fetch_one(pool)
        .await;
        inserted.is_ok_and(|inserted| inserted >= wanted).then_some(())
    });
    if written.await.is_err() {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM notifier.deliveries").fetch_one(pool).await?;
        anyhow::bail!("{} of {leads} deliveries after {patience:?}", found - before.deliveries);
    }
    books::wait_until_settled(pool, &[], patience).await.context("the leads do not come to rest")?;
    Ok(sqlx::query_scalar(
        "SELECT greatest((SELECT max(created_at) FROM notifier.deliveries), (SELECT max(ended_at) FROM billing.holds))",
    )
    .fetch_one(pool)
    .await?)
}

/// Adds wallets that nobody buys with: funded by one posting each, as a credit would.
///
/// # Errors
/// When the database refuses.
pub async fn idle_wallets(pool: &PgPool, seller: sqlx::types::Uuid, count: i64) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await?;
    for statement in [
        "CREATE TEMP TABLE idle ON COMMIT DROP AS SELECT gen_random_uuid() AS buyer_id, gen_random_uuid() AS account_id, \
         gen_random_uuid() AS posting_id FROM generate_series(1, $2)",
        "INSERT INTO billing.wallets (buyer_id, seller_id, version, balance, lines) SELECT buyer_id, $1, 1, 100, 1 FROM idle WHERE $2 > 0",
        "INSERT INTO billing.accounts (account_id, kind, seller_id, buyer_id, currency) \
         SELECT account_id, 'buyer_wallet', $1, buyer_id, 'USD' FROM idle WHERE $2 > 0",
        "INSERT INTO billing.postings (posting_id, kind, seller_id, at, description) \
         SELECT posting_id, 'credit', $1, now(), 'bench' FROM idle WHERE $2 > 0",
        "INSERT INTO billing.credits (seller_id, credit_id, buyer_id, amount, posting_id, at) \
         SELECT $1, 'idle-' || buyer_id, buyer_id, 100, posting_id, now() FROM idle WHERE $2 > 0",
        "INSERT INTO billing.entries (posting_id, line, account_id, amount, number, balance_after) \
         SELECT posting_id, 1::smallint, account_id, 100, 1, 100 FROM idle WHERE $2 > 0 UNION ALL \
         SELECT posting_id, 2::smallint, a.account_id, -100, NULL, NULL FROM idle, billing.accounts a \
         WHERE a.kind = 'external_funding' AND a.seller_id = $1 AND $2 > 0",
        "INSERT INTO distribution.buyers (buyer_id, seller_id, version, company_name, status, priority) \
         SELECT buyer_id, $1, 1, 'Idle', 'active', 5 FROM idle WHERE $2 > 0",
    ] {
        let query = sqlx::query(statement);
        let query = if statement.contains("$1") { query.bind(seller) } else { query.bind(sqlx::types::Uuid::nil()) };
        query
            .bind(count)
            .execute(&mut *transaction)
            .await
            .with_context(|| statement.chars().take(60).collect::<String>())?;
    }
    transaction.commit().await?;
    sqlx::raw_sql("ANALYZE billing.wallets; ANALYZE billing.accounts; ANALYZE billing.entries").execute(pool).await?;
    Ok(())
}

/// Tells which statements took the most time since their counters were reset.
///
/// # Errors
/// When the database cannot be read.
pub async fn say_slowest(pool: &PgPool) -> anyhow::Result<()> {
    let rows: Vec<(i64, f64, f64, String)> = sqlx::query_as(
        "SELECT calls, mean_exec_time, total_exec_time, left(regexp_replace(query, '\\s+', ' ', 'g'), 90) \
         FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 12",
    )
    .fetch_all(pool)
    .await?;
    for (calls, mean, total, query) in rows {
        eprintln!("    {calls:>7} × {mean:>7.3} ms = {total:>8.0} ms  {query}");
    }
    Ok(())
}
