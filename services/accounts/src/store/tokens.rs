//! Table `accounts.one_time_tokens`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::MailKind;
use leadflow_kernel::UserId;
use sqlx::{PgConnection, Row};

/// Stores a new token in the place of the user's others of its kind.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn replace(
    connection: &mut PgConnection,
    kind: MailKind,
    user: UserId,
    sha256: [u8; 32],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    forget(connection, kind, user).await?;
    sqlx::query(
        "INSERT INTO accounts.one_time_tokens (sha256, kind, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(sha256.as_slice())
    .bind(kind.code())
    .bind(user.uuid())
    .bind(now)
    .bind(now + kind.life())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Whose token this is, if it works at `now`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(
    connection: &mut PgConnection,
    kind: MailKind,
    sha256: [u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query("SELECT user_id FROM accounts.one_time_tokens WHERE sha256 = $1 AND kind = $2 AND expires_at > $3")
        .bind(sha256.as_slice())
        .bind(kind.code())
        .bind(now)
        .fetch_optional(connection)
        .await?
        .map(|row| row.try_get("user_id").map(UserId::from_uuid))
        .transpose()
}

/// Uses the token up: of many who try, one is told whose it is.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn take(
    connection: &mut PgConnection,
    kind: MailKind,
    sha256: [u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query(
        "DELETE FROM accounts.one_time_tokens WHERE sha256 = $1 AND kind = $2 AND expires_at > $3 RETURNING user_id",
    )
    .bind(sha256.as_slice())
    .bind(kind.code())
    .bind(now)
    .fetch_optional(connection)
    .await?
    .map(|row| row.try_get("user_id").map(UserId::from_uuid))
    .transpose()
}

/// Forgets the user's tokens of a kind.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn forget(connection: &mut PgConnection, kind: MailKind, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM accounts.one_time_tokens WHERE user_id = $1 AND kind = $2")
        .bind(user.uuid())
        .bind(kind.code())
        .execute(connection)
        .await
        .map(|_| ())
}
