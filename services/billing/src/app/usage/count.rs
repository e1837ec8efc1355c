//! Counting messages that were sent.

use std::collections::HashMap;

use chrono::TimeDelta;
use leadflow_billing_domain::{Prices, SentMessage, UsageKey};
use leadflow_kernel::{EventId, SellerId};

use super::Usage;
use crate::store::usage::{self, Costs, Counted};

/// An older message is not counted: whether it was before is not known any more.
const OLDEST: TimeDelta = TimeDelta::days(30);
/// How far the clock of whoever sent it may be ahead.
const AHEAD: TimeDelta = TimeDelta::hours(1);
/// How long it is known what was counted: longer than [`OLDEST`], so that clocks may differ.
const KNOWN_DAYS: i64 = 33;
/// Messages forgotten in one statement.
const FORGOTTEN: i64 = 10_000;

/// A message that was sent, with the id that its repeats have, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentUsage {
    /// Unique for ever.
    pub id: String,
    /// What it is.
    pub message: SentMessage,
}

/// A message that is too old to be counted for certain once, or sent in the future.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message {id}: sent {at}, which is too long ago or in the future; it is not counted")]
pub struct Uncountable {
    /// Which.
    pub id: String,
    /// When it was sent.
    pub at: chrono::DateTime<chrono::Utc>,
}

impl Usage {
    /// What cannot be counted.
    #[must_use]
    pub fn uncountable(&self, sent: &[SentUsage]) -> Option<Uncountable> {
        let now = self.clock.now();
        sent.iter()
            .find(|one| one.message.at < now - OLDEST || one.message.at > now + AHEAD)
            .map(|one| Uncountable { id: one.id.clone(), at: one.message.at })
    }

    /// Counts messages of any sellers, each once however often it is told. How many were new.
    ///
    /// # Errors
    /// Those of PostgreSQL; asking again is safe.
    pub async fn count(&self, sent: &[SentUsage]) -> Result<i64, sqlx::Error> {
        let costs = self.costs().await?;
        let mut sellers: Vec<SellerId> = sent.iter().map(|one| one.message.seller).collect();
        sellers.sort_unstable();
        sellers.dedup();
        let mut connection = self.pool.acquire().await?;
        let terms = usage::terms(&mut connection, &sellers).await?;
        let (no_prices, no_terms) = (Prices::default(), usage::SellerTerms::default());
        let counted: HashMap<_, _> = sent
            .iter()
            .map(|SentUsage { id, message }| {
                let terms = terms.get(&message.seller).unwrap_or(&no_terms);
                // Until a seller's record has come, his calendar is UTC.
                let zone = terms.time_zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::UTC);
                let prices = terms.currency.and_then(|currency| costs.get(&(message.kind, currency)));
                let key = UsageKey::of(message, zone, prices.unwrap_or(&no_prices), &terms.markups);
                let message_id = EventId::derive(&[b"usage", id.as_bytes()]).uuid();
                (message_id, Counted { message: message_id, key, units: message.units })
            })
            .collect();
        let counted: Vec<_> = counted.into_values().collect();
        usage::count(&mut connection, &counted, self.clock.now().date_naive()).await
    }

    /// Forgets messages that are refused for their age if they are told again. How many.
    ///
    /// # Errors
    /// Those of PostgreSQL; what was forgotten stays so.
    pub async fn forget(&self) -> Result<u64, sqlx::Error> {
        let before = (self.clock.now() - TimeDelta::days(KNOWN_DAYS)).date_naive();
        let mut forgotten = 0;
        loop {
            let some = usage::forget(&mut *self.pool.acquire().await?, before, FORGOTTEN).await?;
            forgotten += some;
            if some < FORGOTTEN.unsigned_abs() {
                return Ok(forgotten);
            }
        }
    }

    /// What messages cost, now and before.
    pub(super) async fn costs(&self) -> Result<Costs, sqlx::Error> {
        self.write_costs().await?;
        usage::costs(&mut *self.pool.acquire().await?).await
    }

    /// Writes down what messages cost from now on, once.
    async fn write_costs(&self) -> Result<(), sqlx::Error> {
        let write = async || usage::set_costs(&mut *self.pool.acquire().await?, &self.costs, self.clock.now()).await;
        self.costs_are_written.get_or_try_init(write).await?;
        Ok(())
    }
}
