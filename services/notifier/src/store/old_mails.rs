//! Table `notifier.mails` of the release before this one.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Carries over mails that the release before this one left in its own table, `notifier.mails`, unless one of its replicas has
/// them now. One statement, so each is in exactly one table; a mail's id is its message's, so one that is asked for again is the same.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn carry_over(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "WITH left_behind AS ( \
           DELETE FROM notifier.mails WHERE event_id = ANY(ARRAY( \
             SELECT event_id FROM notifier.mails WHERE status = 'WAITING' AND (lease IS NULL OR due_at <= $1) \
             FOR UPDATE SKIP LOCKED)) \
           RETURNING mail_id, seller_id, kind, sealed, expires_at, attempts_made, due_at, error, created_at) \
         INSERT INTO notifier.messages (message_id, seller_id, channel, kind, contents, expires_at, status, \
           attempts_made, due_at, error, created_at) \
         SELECT mail_id, seller_id, 'EMAIL', kind, sealed, expires_at, 'WAITING', attempts_made, due_at, error, \
           created_at FROM left_behind \
         ON CONFLICT (message_id) DO NOTHING",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
