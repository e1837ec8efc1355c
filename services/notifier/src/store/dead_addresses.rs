//! Reads `notifier.suppressions`: addresses and numbers are dead for everybody who has them.

use leadflow_kernel::BuyerId;
use sqlx::{PgConnection, Row};

/// Where a buyer is not reached any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unreachable {
    /// His phone asked for no more text messages.
    pub sms_stopped: bool,
    /// Why no text message arrives at his phone otherwise, in words; empty: they do.
    pub sms_dead_because: String,
    /// Why nothing is mailed to his address, in words; empty: it is.
    pub email_dead_because: String,
}

/// What is known of a buyer's address and phone.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of(connection: &mut PgConnection, buyer: BuyerId) -> Result<Unreachable, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT s.channel, s.reason, s.detail FROM notifier.buyers b \
         JOIN notifier.suppressions s ON (s.channel, s.recipient) IN (('EMAIL', lower(b.email)), ('SMS', b.phone)) \
         WHERE b.buyer_id = $1",
    )
    .bind(buyer.uuid())
    .fetch_all(connection)
    .await?;
    let mut found = Unreachable::default();
    for row in rows {
        let (detail, reason): (&str, &str) = (row.try_get("detail")?, row.try_get("reason")?);
        if row.try_get::<&str, _>("channel")? == "SMS" {
            found.sms_stopped = reason == "STOPPED";
            if !found.sms_stopped {
                found.sms_dead_because = if detail.is_empty() { "it is no mobile phone" } else { detail }.to_owned();
            }
            continue;
        }
        found.email_dead_because = match (detail, reason) {
            ("", "COMPLAINED") => "a mail to it was reported as spam".to_owned(),
            ("", _) => "a mail to it came back".to_owned(),
            (detail, _) => detail.to_owned(),
        };
    }
    Ok(found)
}
