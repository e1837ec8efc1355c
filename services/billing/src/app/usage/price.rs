//! Giving messages a price that had none when they were counted: their tenant's record had not come, or its currency has
//! got a price since.

use std::collections::BTreeSet;

use chrono::NaiveTime;
use leadflow_billing_domain::Unposted;

use super::Usage;
use crate::store::{
    usage::Costs,
    usage_unpriced::{self, Waiting},
};

impl Usage {
    /// Prices what can be priced, by what held when its month began, or else by the first price after that; how many
    /// rows. Tells once of what cannot. Any number of replicas may do so at once.
    ///
    /// # Errors
    /// Those of PostgreSQL; what was priced stays so.
    pub async fn price_waiting(&self) -> Result<u64, sqlx::Error> {
        let costs = self.costs().await?;
        let waiting = usage_unpriced::waiting(&mut *self.pool.acquire().await?).await?;
        let (mut priced, mut without) = (0, BTreeSet::new());
        for one in waiting {
            let of_now = costs.get(&(one.kind, one.currency)).and_then(|prices| prices.price(self.clock.now()));
            if of_now.is_none() {
                without.insert((one.currency, one.kind));
            }
            priced += self.price(&one, &costs).await?;
        }
        self.tell(without);
        Ok(priced)
    }

    /// Prices one seller's messages of a kind, in one transaction.
    async fn price(&self, waiting: &Waiting, costs: &Costs) -> Result<u64, sqlx::Error> {
        let Some(prices) = costs.get(&(waiting.kind, waiting.currency)) else { return Ok(0) };
        let mut transaction = self.pool.begin().await?;
        // Replicas wait for each other here, and the second finds nothing left.
        let rows = usage_unpriced::lock(&mut transaction, waiting).await?;
        let priced: Vec<Unposted> = rows
            .into_iter()
            .filter_map(|mut row| {
                row.key.cost = Some(prices.price(row.key.month.and_time(NaiveTime::MIN).and_utc())?);
                Some(row)
            })
            .collect();
        if priced.is_empty() {
            return Ok(0);
        }
        let moved = usage_unpriced::give_prices(&mut transaction, waiting, &priced).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    /// Once for each currency and kind, as long as nothing changes.
    fn tell(&self, without: BTreeSet<(leadflow_kernel::Currency, leadflow_billing_domain::UsageKind)>) {
        // Nobody panics while he holds it, and what is in it is good at any time.
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (currency, kind) in without.difference(&told) {
            let kind = kind.name();
            tracing::error!(%currency, kind, "messages have no price in this currency: they are counted and not posted");
        }
        *told = without;
    }
}
