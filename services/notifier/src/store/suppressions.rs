//! Table `notifier.suppressions`: addresses and numbers that nothing is sent to any more.

use std::collections::HashMap;

use leadflow_notifier_domain::Channel;
use sqlx::PgConnection;

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
