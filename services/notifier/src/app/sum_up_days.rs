//! Each morning, where the buyer is, he is told of the day before: once, however many replicas there are, and not at all when nothing happened.

use chrono::{DateTime, Days, NaiveDate, Utc};
use leadflow_notifier_domain::{Channel, DaySummary, News, day_bounds, day_to_sum_up};
use uuid::Uuid;

use super::{Notifier, accept_news::Telling};
use crate::{
    outbound::numbers::Numbers,
    store::{
        messages,
        summaries::{self, Subscriber},
    },
};

/// Subscribers that are looked at together.
const PAGE: i64 = 500;

impl Notifier {
    /// Looks at all who want summaries. Returns how many are told.
    ///
    /// # Errors
    /// Those of PostgreSQL; what was done stays done. Whose numbers could not be asked for is looked at again.
    pub async fn sum_up_days(&self, numbers: &dyn Numbers) -> Result<usize, sqlx::Error> {
        let now = self.clock.now();
        // Nowhere is yesterday a later day than this.
        let newest = now.date_naive().checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        let (mut after, mut told) = (Uuid::nil(), 0);
        loop {
            let page = summaries::subscribers(&mut *self.pool.acquire().await?, newest, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(told) };
            after = last.buyer.uuid();
            for subscriber in &page {
                let Some(day) = day_to_sum_up(&subscriber.time_zone, now) else { continue };
                if subscriber.told.is_none_or(|told| told < day) && self.sum_up(numbers, subscriber, day, now).await? {
                    told += 1;
                }
            }
        }
    }

    async fn sum_up(
        &self,
        numbers: &dyn Numbers,
        subscriber: &Subscriber,
        day: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let (seller, buyer) = (subscriber.seller, subscriber.buyer);
        let (from, until) = day_bounds(&subscriber.time_zone, day);
        let bought = match numbers.of(seller, buyer, from, until).await {
            Ok(bought) => bought,
            Err(why) => {
                tracing::warn!(buyer_id = %buyer, why, "a day could not be summed up yet");
                return Ok(false);
            }
        };
        let (delivered, gave_up) =
            summaries::webhooks(&mut *self.pool.acquire().await?, seller, buyer, from, until).await?;
        let summary = DaySummary {
            day,
            leads: bought.leads,
            spent: bought.spent,
            returned: bought.returned,
            delivered,
            gave_up,
            available: bought.available,
        };
        let nothing = summary.leads == 0 && summary.returned == 0 && delivered == 0 && gave_up == 0;
        let mut transaction = self.pool.begin().await?;
        // Of two replicas one marks the day; a crash before the commit leaves it to the next.
        if !summaries::mark(&mut transaction, buyer, day).await? {
            return Ok(false);
        }
        if !nothing {
            let telling = Telling {
                source: day.to_string().into_bytes(),
                seller,
                buyer,
                lead: None,
                news: News::DailySummary(summary),
                traceparent: None,
            };
            messages::insert(&mut transaction, &[telling.message(Channel::Email, now)], now).await?;
        }
        transaction.commit().await?;
        self.wakes.email.notify_one();
        Ok(!nothing)
    }
}
