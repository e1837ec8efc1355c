//! Working webhooks off.

use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::{ProviderEvents, read::Event};
use crate::{
    app::{
        AppError,
        cards::CardNews,
        payments::{DisputeNews, Heard, RefundNews},
    },
    outbound::provider::ProviderError,
    store::provider_events::{self, Claimed},
};

/// Webhooks that a step takes.
const BATCH: i64 = 8;
/// Longer than working one off can take: a few calls of the provider.
const LEASE: TimeDelta = TimeDelta::minutes(10);
/// Half a day, with the pauses below.
const MOST_ATTEMPTS: i32 = 20;
/// Webhooks that are forgotten at once.
const FORGET: i64 = 1_000;
const LONGEST_ERROR: usize = 500;

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worked {
    /// Had their effect, or had had it.
    pub processed: u32,
    /// Are nothing to us.
    pub ignored: u32,
    /// Failed; tried again later.
    pub failed: u32,
    /// Failed for the last time.
    pub given_up: u32,
}

impl Worked {
    /// There may be more.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.processed + self.ignored + self.failed + self.given_up > 0
    }
}

/// What became of a webhook.
enum Outcome {
    Processed,
    Ignored(&'static str),
}

impl From<Heard> for Outcome {
    fn from(heard: Heard) -> Self {
        match heard {
            Heard::Booked | Heard::Known => Self::Processed,
            Heard::NotOurs => Self::Ignored("not ours"),
        }
    }
}

impl ProviderEvents {
    /// Works off webhooks that are due, a few at a time. Any number of replicas may do so at once; one that dies leaves its webhooks to
    /// the others.
    ///
    /// # Errors
    /// When the database cannot be asked. That one webhook fails is no error.
    pub async fn work_off(&self) -> Result<Worked, AppError> {
        let now = self.billing.clock.now();
        let claimed = {
            let mut connection = self.billing.pool.acquire().await?;
            provider_events::claim(&mut connection, now, now + LEASE, BATCH).await?
        };
        let mut at_once = JoinSet::new();
        for one in claimed {
            let events = self.clone();
            at_once.spawn(async move { events.one(&one).await });
        }
        let mut worked = Worked::default();
        while let Some(one) = at_once.join_next().await {
            match one {
                Ok(one) => {
                    let one = one?;
                    worked.processed += one.processed;
                    worked.ignored += one.ignored;
                    worked.failed += one.failed;
                    worked.given_up += one.given_up;
                }
                // Its lease ends, and it is tried again.
                Err(error) => tracing::error!(%error, "working off a webhook ended badly"),
            }
        }
        Ok(worked)
    }

    async fn one(&self, claimed: &Claimed) -> Result<Worked, AppError> {
        let outcome = self.tell(claimed).await;
        let now = self.billing.clock.now();
        let mut connection = self.billing.pool.acquire().await?;
        let mut worked = Worked::default();
        match outcome {
            Ok(Outcome::Processed) => {
                provider_events::done(&mut connection, &claimed.id, None, now).await?;
                worked.processed = 1;
            }
            Ok(Outcome::Ignored(why)) => {
                provider_events::done(&mut connection, &claimed.id, Some(why), now).await?;
                worked.ignored = 1;
            }
            Err(error) => {
                let text: String = error.to_string().chars().take(LONGEST_ERROR).collect();
                let again = (claimed.attempts < MOST_ATTEMPTS).then(|| now + pause(claimed.attempts));
                provider_events::failed(&mut connection, claimed, &text, again).await?;
                let (event, kind) = (&claimed.id, &claimed.kind);
                if again.is_some() {
                    worked.failed = 1;
                    tracing::warn!(
                        event,
                        kind,
                        attempts = claimed.attempts,
                        error = text,
                        "a webhook failed; it is tried again"
                    );
                } else {
                    worked.given_up = 1;
                    tracing::error!(event, kind, error = text, "a webhook is given up; let the provider send it again");
                }
            }
        }
        Ok(worked)
    }

    async fn tell(&self, claimed: &Claimed) -> Result<Outcome, AppError> {
        let Some(event) = Event::read(&claimed.body) else { return Ok(Outcome::Ignored("not readable")) };
        let Some(id) = event.object_id() else { return Ok(Outcome::Ignored("without an object")) };
        match event.kind.as_str() {
            "payment_intent.succeeded"
            | "payment_intent.payment_failed"
            | "payment_intent.requires_action"
            | "payment_intent.canceled" => match self.provider.intent(id).await {
                Ok(intent) => Ok(self.news.charge(&intent).await?.into()),
                Err(ProviderError::Refused { code, .. }) if code == "resource_missing" => {
                    Ok(Outcome::Ignored("no such charge"))
                }
                Err(error) => Err(error.into()),
            },
            "charge.refunded" => match event.names("payment_intent") {
                Some(intent) => Ok(self.news.charge_refunded(intent).await?.into()),
                None => Ok(Outcome::Ignored("not ours")),
            },
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => self.refund(id).await,
            "charge.dispute.created"
            | "charge.dispute.updated"
            | "charge.dispute.closed"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated" => self.dispute(id).await,
            "setup_intent.succeeded" => match (event.names("customer"), event.names("payment_method")) {
                (Some(customer), Some(payment_method)) => {
                    let (customer, payment_method) = (customer.to_owned(), payment_method.to_owned());
                    Ok(self.cards.hear(&CardNews::SetUp { customer, payment_method }).await?.into())
                }
                _ => Ok(Outcome::Ignored("not ours")),
            },
            "payment_method.detached" | "payment_method.updated" | "payment_method.automatically_updated" => {
                Ok(self.cards.hear(&CardNews::Changed { payment_method: id.to_owned() }).await?.into())
            }
            _ => Ok(Outcome::Ignored("of a kind that is nothing to us")),
        }
    }

    async fn refund(&self, id: &str) -> Result<Outcome, AppError> {
        let Some(found) = self.records.refund_now(id).await? else { return Ok(Outcome::Ignored("no such refund")) };
        let Some(intent) = found.intent else { return Ok(Outcome::Ignored("not ours")) };
        let news = RefundNews {
            id: found.refund.id,
            refund: found.ours,
            intent,
            status: found.refund.status,
            amount: found.refund.amount,
        };
        Ok(self.news.refund(&news).await?.into())
    }

    async fn dispute(&self, id: &str) -> Result<Outcome, AppError> {
        let Some(found) = self.records.dispute_now(id).await? else { return Ok(Outcome::Ignored("no such dispute")) };
        let Some(intent) = found.intent else { return Ok(Outcome::Ignored("not ours")) };
        let Some(state) = found.status.money() else { return Ok(Outcome::Ignored("no money was taken")) };
        let news = DisputeNews { id: found.id, intent, payment: None, state, amount: found.amount };
        Ok(self.news.dispute(&news).await?.into())
    }

    /// Forgets webhooks that were worked off so long ago. Returns how many.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn forget_older_than(&self, age: TimeDelta) -> Result<u64, AppError> {
        let before = self.billing.clock.now() - age;
        let mut connection = self.billing.pool.acquire().await?;
        let mut all = 0;
        loop {
            let some = provider_events::forget(&mut connection, before, FORGET).await?;
            all += some;
            if some < FORGET.unsigned_abs() {
                return Ok(all);
            }
        }
    }
}

/// How long a webhook that failed so often is left alone.
fn pause(attempts: i32) -> TimeDelta {
    let doublings = attempts.clamp(1, 11) - 1;
    TimeDelta::seconds((5_i64 << doublings).min(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_tried_for_half_a_day() {
        assert_eq!([1, 2, 3].map(|attempts| pause(attempts).num_seconds()), [5, 10, 20]);
        let whole: TimeDelta = (1..MOST_ATTEMPTS).map(pause).sum();
        assert!((8..=14).contains(&whole.num_hours()), "{whole}");
    }
}
