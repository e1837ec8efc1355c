//! Partitions of leads by month.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Makes the partitions that the month of `now` and so many months after it lack. Returns how many there were; nearly always none, and
/// then nothing is locked.
///
/// # Errors
/// Those of PostgreSQL; `lock_not_available` when the tables were too busy, which changed nothing.
pub async fn make(pool: &PgPool, now: DateTime<Utc>, ahead: i32) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT distribution.make_months($1, $2)").bind(now).bind(ahead).fetch_one(pool).await
}

/// Leads that lie in no month's partition, up to `limit`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn outside(pool: &PgPool, limit: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM (SELECT FROM distribution.leads_default LIMIT $1) t")
        .bind(limit)
        .fetch_one(pool)
        .await
}
