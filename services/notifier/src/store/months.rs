//! Partitions of attempts by month.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Makes the partitions that the month of `now` and so many months after it lack. Returns how many there were; nearly always none, and
/// then nothing is locked.
///
/// # Errors
/// Those of PostgreSQL; `lock_not_available` when the table was too busy, which changed nothing.
pub async fn make(pool: &PgPool, now: DateTime<Utc>, ahead: i32) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT notifier.make_months($1, $2)").bind(now).bind(ahead).fetch_one(pool).await
}

/// Drops the partitions that ended `keep` (at least one) months before the current one, by the database's clock. Returns how many there were.
///
/// # Errors
/// As [`make`].
pub async fn drop_before(pool: &PgPool, keep: i32) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT notifier.drop_months($1)").bind(keep).fetch_one(pool).await
}
