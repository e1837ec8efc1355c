//! Posting months that are over.

use chrono::{NaiveDate, TimeDelta};
use leadflow_billing_domain::{Account, AccountKind, Changes, Period, month_due};
use leadflow_kernel::PostingId;

use super::{GRACE, Usage};
use crate::store::{
    directory, save,
    usage_postings::{self, SellerDue},
};

/// Somewhere it is this much later than in UTC.
const FIRST_MIDNIGHT: TimeDelta = TimeDelta::hours(14);

impl Usage {
    /// Posts every month that is over and was not posted, for every seller in his currency; how many. Any number of replicas may do so
    /// at once.
    ///
    /// # Errors
    /// Those of PostgreSQL, after all sellers were tried; what was posted stays so.
    pub async fn post_months(&self) -> Result<u32, sqlx::Error> {
        let now = self.clock.now();
        let before = Period::at(now - GRACE + FIRST_MIDNIGHT, chrono_tz::UTC).month_start;
        let sellers = usage_postings::sellers(&mut *self.pool.acquire().await?, before).await?;
        let (mut posted, mut failed) = (0, None);
        for due in sellers {
            loop {
                match self.post_month(&due, before).await {
                    Ok(true) => posted += 1,
                    Ok(false) => break,
                    // One seller's trouble is not the others'.
                    Err(error) => {
                        tracing::warn!(seller_id = %due.seller, %error, "messages of a month were not posted");
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        failed.map_or(Ok(posted), Err)
    }

    /// Posts one month of a seller. False: there is none to post now.
    async fn post_month(&self, due: &SellerDue, before: NaiveDate) -> Result<bool, sqlx::Error> {
        let now = self.clock.now();
        let seller = due.seller;
        let zone = due.time_zone.parse().unwrap_or(chrono_tz::UTC);
        let mut transaction = self.pool.begin().await?;
        // Replicas wait for each other here, and the second finds nothing left.
        let unposted = usage_postings::lock_unposted(&mut transaction, seller, before).await?;
        let Some(first) = unposted.iter().map(|row| row.key.month).min() else { return Ok(false) };
        let posted = usage_postings::posted(&mut transaction, seller, first).await?;
        let Some(month) = month_due(&unposted, &posted, now, GRACE, zone) else { return Ok(false) };
        let id = PostingId::new();
        if !usage_postings::settle(&mut transaction, seller, &month, id, now).await? {
            return Ok(false);
        }
        let accounts = [AccountKind::SellerEarnings, AccountKind::PlatformUsage]
            .map(|kind| (Account::of_seller(kind, seller), due.currency));
        directory::open_accounts(&mut transaction, &accounts).await?;
        let changes = Changes { postings: vec![month.posting(id, seller, now)], ..Changes::default() };
        save::save(&mut transaction, &changes).await?;
        transaction.commit().await?;
        tracing::info!(seller_id = %seller, month = %month.month, amount = %month.amount, currency = %due.currency, posting_id = %id, "messages posted");
        Ok(true)
    }
}
