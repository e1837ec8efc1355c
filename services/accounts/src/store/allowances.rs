//! Table `accounts.allowances`, apart from [`super::sessions::admit`].

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_accounts_domain::{Allowance, AllowanceKind, AllowanceState};
use sqlx::{PgConnection, Row};

use super::columns;

/// Takes one of each subject's `permits` in a `window` at `now`; all of them in one statement, so that those who
/// try at the same time are all counted. The answers are in no order.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn take(
    connection: &mut PgConnection,
    kind: AllowanceKind,
    window: TimeDelta,
    wanted: &[(String, u32)],
    now: DateTime<Utc>,
) -> Result<Vec<AllowanceState>, sqlx::Error> {
    let allowance = |permits: u32| Allowance::new(permits, window);
    sqlx::query(
        "INSERT INTO accounts.allowances AS a (kind, subject, full_at, allowed) \
         SELECT $1::text, t.subject, $2::timestamptz + t.step, true \
         FROM unnest($3::text[], $4::interval[]) AS t(subject, step) ORDER BY t.subject \
         ON CONFLICT (kind, subject) DO UPDATE SET \
           allowed = greatest(a.full_at, $2) + (excluded.full_at - $2) <= $2 + $5::interval, \
           full_at = CASE WHEN greatest(a.full_at, $2) + (excluded.full_at - $2) <= $2 + $5::interval \
                          THEN greatest(a.full_at, $2) + (excluded.full_at - $2) ELSE a.full_at END \
         RETURNING array_position($3::text[], a.subject) AS number, a.full_at, a.allowed",
    )
    .bind(kind.code())
    .bind(now)
    .bind(wanted.iter().map(|(subject, _)| subject.clone()).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, permits)| allowance(*permits).interval()).collect::<Vec<_>>())
    .bind(window)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        let number = usize::try_from(row.try_get::<i32, _>("number")?).map_err(columns::corrupt)?;
        let (_, permits) = wanted.get(number.wrapping_sub(1)).ok_or_else(|| columns::wrong("subject"))?;
        Ok(allowance(*permits).state(row.try_get("full_at")?, row.try_get("allowed")?, now))
    })
    .collect()
}

/// Gives all permits of a subject back.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn reset(connection: &mut PgConnection, kind: AllowanceKind, subject: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM accounts.allowances WHERE kind = $1 AND subject = $2")
        .bind(kind.code())
        .bind(subject)
        .execute(connection)
        .await
        .map(|_| ())
}
