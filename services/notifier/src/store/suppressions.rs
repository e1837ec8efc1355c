//! Table `notifier.suppressions`: addresses and numbers that nothing is sent to any more.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_notifier_domain::Channel;
use sqlx::PgConnection;

use super::messages::storable;

/// An address or number as it is compared.
#[must_use]
pub fn plain(recipient: &str) -> String {
    recipient.trim().to_lowercase()
}

/// Those of `recipients` that nothing is sent to, each with why, in words.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn among(
    connection: &mut PgConnection,
    channel: Channel,
    recipients: &[String],
) -> Result<HashMap<String, String>, sqlx::Error> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT recipient, detail FROM notifier.suppressions WHERE channel = $1 AND recipient = ANY($2)",
    )
    .bind(channel.code())
    .bind(recipients)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().collect())
}

/// An address or number that nothing is sent to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSuppression {
    /// How it was reached.
    pub channel: Channel,
    /// As [`plain`] writes it.
    pub recipient: String,
    /// `BOUNCED`, `COMPLAINED` or `STOPPED`.
    pub reason: &'static str,
    /// In words.
    pub detail: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// Sends to a number again that had asked for no more. One that is dead for another reason stays so.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lift_stop(connection: &mut PgConnection, recipient: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM notifier.suppressions WHERE channel = 'SMS' AND recipient = $1 AND reason = 'STOPPED'",
    )
    .bind(recipient)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores those that are new, and says how many they were; what was known first stays.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(connection: &mut PgConnection, new: &[NewSuppression]) -> Result<u64, sqlx::Error> {
    let mut new: Vec<&NewSuppression> = new.iter().collect();
    new.sort_by_key(|it| (it.channel, &it.recipient));
    new.dedup_by_key(|it| (it.channel, &it.recipient));
    let done = sqlx::query(
        "INSERT INTO notifier.suppressions (channel, recipient, reason, detail, at) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) \
         ON CONFLICT (channel, recipient) DO NOTHING",
    )
    .bind(new.iter().map(|it| it.channel.code()).collect::<Vec<_>>())
    .bind(new.iter().map(|it| it.recipient.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|it| it.reason).collect::<Vec<_>>())
    .bind(new.iter().map(|it| storable(&it.detail)).collect::<Vec<_>>())
    .bind(new.iter().map(|it| it.at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// One of them, for an operator.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Suppression {
    /// `EMAIL` or `SMS`.
    pub channel: String,
    /// Address or number.
    pub recipient: String,
    /// `BOUNCED`, `COMPLAINED` or `STOPPED`.
    pub reason: String,
    /// In words.
    pub detail: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// The newest, at most `limit`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn list(connection: &mut PgConnection, limit: i64) -> Result<Vec<Suppression>, sqlx::Error> {
    sqlx::query_as(
        "SELECT channel, recipient, reason, detail, at FROM notifier.suppressions \
         ORDER BY at DESC, channel, recipient LIMIT $1",
    )
    .bind(limit)
    .fetch_all(connection)
    .await
}

/// Sends there again, unless it was asked to be left alone. False: it was, or nothing is known of it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lift(connection: &mut PgConnection, channel: Channel, recipient: &str) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM notifier.suppressions WHERE channel = $1 AND recipient = $2 AND reason <> 'STOPPED'")
            .bind(channel.code())
            .bind(recipient)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() > 0)
}
