//! Forgetting what has ended by itself.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Rows of each table that one step deletes at most.
const AT_ONCE: i64 = 5_000;

/// Deletes sessions, mailed tokens, invitations, begun sign-ins and allowances that have ended; returns how many.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn step(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let mut deleted = 0;
    for statement in [
        "DELETE FROM accounts.sessions WHERE session_id IN ( \
           SELECT session_id FROM accounts.sessions WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM accounts.one_time_tokens WHERE sha256 IN ( \
           SELECT sha256 FROM accounts.one_time_tokens WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM accounts.invitations WHERE invitation_id IN ( \
           SELECT invitation_id FROM accounts.invitations WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        "DELETE FROM accounts.google_attempts WHERE state_sha256 IN ( \
           SELECT state_sha256 FROM accounts.google_attempts WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        // One that is used again meanwhile is skipped or made anew: all its permits are back either way.
        "DELETE FROM accounts.allowances WHERE ctid IN ( \
           SELECT ctid FROM accounts.allowances WHERE full_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
    ] {
        deleted += sqlx::query(statement).bind(now).bind(AT_ONCE).execute(pool).await?.rows_affected();
    }
    Ok(deleted)
}
