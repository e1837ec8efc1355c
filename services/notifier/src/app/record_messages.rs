//! Ends of messages: the row, its attempt, and the events of it, for however many there are, in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use leadflow_kernel::Backoff;
use leadflow_messaging::Envelope;

use super::Notifier;
use crate::{
    metrics,
    outbound::events,
    store::{
        message_leases,
        messages::{self, MessageKey, MessageResult, MessageStatus},
        old_mails,
        suppressions::{self, NewSuppression},
    },
};

/// A result that is not recorded is a message that is sent twice: it is worth many tries, until its lease has ended.
const RETRY: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
const TRIES: u32 = 40;
/// The most that are ended at once.
const BATCH: i64 = 500;

impl Notifier {
    /// Records `results`, again and again while the database is away. A result whose lease has passed to somebody else
    /// changes nothing.
    ///
    /// # Errors
    /// Those of PostgreSQL; nothing is recorded then, and these messages are sent again when their lease ends.
    pub async fn record_messages(&self, results: &[MessageResult]) -> Result<(), sqlx::Error> {
        let mut failures = 0;
        loop {
            match self.try_to_record(results).await {
                Ok(()) => return Ok(()),
                Err(error) if failures == TRIES || error.as_database_error().is_some_and(is_refused) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(messages = results.len(), failures, %error, "messages' ends not recorded yet");
                    tokio::time::sleep(RETRY.delay(failures, rand::random())).await;
                    failures += 1;
                }
            }
        }
    }

    async fn try_to_record(&self, results: &[MessageResult]) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let stored = message_leases::finish(&mut transaction, results, now).await?;
        let stale = results.len() - stored.recorded.len() - stored.told_before;
        if stale > 0 {
            tracing::warn!(stale, "messages' ends came after their lease: they may be sent twice");
        }
        let dead: Vec<NewSuppression> = results.iter().filter_map(|result| result.suppress.clone()).collect();
        if !dead.is_empty() {
            suppressions::insert(&mut transaction, &dead).await?;
        }
        let ended =
            results.iter().filter(|r| r.status != MessageStatus::Waiting && stored.recorded.contains_key(&r.key.id));
        let told = ended.flat_map(|result| {
            let paid = (result.status == MessageStatus::Sent).then_some(result.units);
            told(&result.key, result.status, &result.error, paid, now)
        });
        let pending = self.outbox.append(&mut transaction, sorted(told.collect())).await?;
        transaction.commit().await?;
        let tried = |result: &&MessageResult| result.attempt.is_some() || result.status != MessageStatus::Waiting;
        for result in results.iter().filter(|result| stored.recorded.contains_key(&result.key.id)).filter(tried) {
            metrics::message(result.key.channel.code(), result.status);
            if let (MessageStatus::Sent, Some(Some(received))) = (result.status, stored.recorded.get(&result.key.id)) {
                metrics::arrived(result.key.channel.code(), *received, now);
            }
        }
        self.relay.send(pending);
        Ok(())
    }

    /// Ends what is of no use any more. Returns how many there were.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn expire_messages(&self) -> Result<usize, sqlx::Error> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let ended = messages::expire(&mut transaction, now, BATCH).await?;
        if ended.is_empty() {
            return Ok(0);
        }
        tracing::warn!(messages = ended.len(), "messages were not sent while they were of use");
        let told = ended.iter().flat_map(|(key, why)| told(key, MessageStatus::Expired, why, None, now));
        let pending = self.outbox.append(&mut transaction, told.collect()).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(ended.len())
    }

    /// Takes over what the release before this one left in its table of mails.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn carry_over_mails(&self) -> Result<u64, sqlx::Error> {
        old_mails::carry_over(&mut *self.pool.acquire().await?, self.clock.now()).await
    }
}

/// The events of a message that has ended: that it did, for its buyer, and how much its seller pays for, if it was sent just now.
pub(super) fn told(
    key: &MessageKey,
    status: MessageStatus,
    error: &str,
    paid: Option<u32>,
    at: DateTime<Utc>,
) -> impl Iterator<Item = Envelope> {
    let ended = events::message_ended(key, status, error, at);
    let paid = paid.and_then(|units| events::message_sent(key, units, at));
    ended.into_iter().chain(paid)
}

/// Events of one kind beside each other are one message of the stream.
fn sorted(mut events: Vec<Envelope>) -> Vec<Envelope> {
    events.sort_by(|a, b| a.subject.cmp(&b.subject));
    events
}

/// The data itself is refused: trying again does not help.
fn is_refused(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
