//! Showing what messages cost.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::Period;
use leadflow_kernel::{BuyerId, Currency, SellerId};

use super::{Usage, UsageTerms};
use crate::store::usage_report::{self, KindSum, PostedMonth, UsageSum};

/// Buyers that are shown.
const BUYERS: i64 = 200;

/// A seller's messages of some months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// The seller's.
    pub currency: Currency,
    /// By month and kind, the newest month first.
    pub kinds: Vec<KindSum>,
    /// The buyers for whom most was paid; `None` is what was not for a buyer.
    pub buyers: Vec<(Option<BuyerId>, UsageSum)>,
    /// What is posted for these months, the newest first.
    pub postings: Vec<PostedMonth>,
    /// What is paid for messages that are sent now.
    pub terms: UsageTerms,
}

impl Usage {
    /// The months from that of `from` to that of `last`, on the tenant's calendar.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn report(
        &self,
        tenant: SellerId,
        from: DateTime<Utc>,
        last: DateTime<Utc>,
    ) -> Result<UsageReport, sqlx::Error> {
        let costs = self.costs().await?;
        let mut tx = self.tenants.begin(tenant).await?;
        let (zone, currency) = usage_report::calendar(&mut tx, tenant).await?.unzip();
        let zone = zone.and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::UTC);
        let months = (Period::at(from, zone).month_start, Period::at(last, zone).month_start);
        Ok(UsageReport {
            currency: currency.unwrap_or(Currency::USD),
            kinds: usage_report::by_kind(&mut tx, tenant, months).await?,
            buyers: usage_report::by_buyer(&mut tx, tenant, months, BUYERS).await?,
            postings: usage_report::postings(&mut tx, tenant, months).await?,
            terms: self.terms_in(&mut tx, tenant, &costs).await?,
        })
    }
}
