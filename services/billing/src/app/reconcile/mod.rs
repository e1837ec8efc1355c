//! Comparing our payments with the provider's own books of the same time, both ways. What it has and we have not booked yet is booked.

mod charges;
mod difference;
mod disputes;
mod refunds;

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::PaymentId;

pub use difference::{Difference, DifferenceKind};

use super::{
    AppError, Billing,
    payments::{Heard, ProviderNews},
};
use crate::{
    outbound::{
        provider::{Intent, MovementKind, PaymentProvider, ProviderError},
        records::ProviderRecords,
    },
    store::reconcile::{self, DayFound},
};

/// The most differences that are told.
pub const MOST_DIFFERENCES: usize = 1_000;
/// How long a comparison of a day may take before another replica begins it anew.
const LEASE: TimeDelta = TimeDelta::hours(2);

/// Compares. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    billing: Billing,
    provider: Arc<dyn PaymentProvider>,
    records: Arc<dyn ProviderRecords>,
    news: Arc<dyn ProviderNews>,
}

/// What a comparison has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Payments of ours, payments of which something went back, and disputes.
    pub ours: u32,
    /// Charges, refunds and disputes of the provider's.
    pub theirs: u32,
    /// What does not agree; at most [`MOST_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// How many differences there are.
    pub count: u32,
    /// How many of them were settled.
    pub settled: u32,
    /// Payments that the provider's books show.
    seen: BTreeSet<PaymentId>,
    /// Charges of which the provider's books show that something went back.
    refunded: BTreeSet<String>,
    /// Disputes that the provider's books show.
    disputed: BTreeSet<String>,
}

impl Comparison {
    fn add(&mut self, difference: Difference) {
        self.count += 1;
        self.settled += u32::from(difference.settled);
        if self.differences.len() < MOST_DIFFERENCES {
            self.differences.push(difference);
        }
    }
}

impl Reconciler {
    /// Compares the payments in `billing` with `provider`'s books and `records`, and tells `news` what is not booked.
    #[must_use]
    pub fn new(
        billing: Billing,
        provider: Arc<dyn PaymentProvider>,
        records: Arc<dyn ProviderRecords>,
        news: Arc<dyn ProviderNews>,
    ) -> Self {
        Self { billing, provider, records, news }
    }

    /// Compares what happened in `from <= time < to`. A charge that one side's clock puts outside is asked for by itself, so that it is no
    /// difference.
    ///
    /// # Errors
    /// [`AppError::Provider`], [`AppError::Database`]; what was settled until then stays so.
    pub async fn compare(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Comparison, AppError> {
        let mut found = Comparison::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.provider.movements(from, to, after.as_deref()).await?;
            self.their_charges(&page.movements, &mut found).await?;
            for moved in &page.movements {
                if matches!(moved.kind, MovementKind::Refund | MovementKind::RefundFailed) {
                    found.theirs += 1;
                    match &moved.intent {
                        Some(intent) => {
                            found.refunded.insert(intent.clone());
                        }
                        None => found.add(Difference::theirs(DifferenceKind::UnknownRefund, moved)),
                    }
                }
                if moved.kind == MovementKind::Dispute && found.disputed.insert(moved.source.clone()) {
                    found.theirs += 1;
                }
            }
            after = page.movements.last().map(|last| last.id.clone());
            if !page.more || after.is_none() {
                break;
            }
        }
        self.our_charges(from, to, &mut found).await?;
        self.refunds(from, to, &mut found).await?;
        self.disputes(from, to, &mut found).await?;
        Ok(found)
    }

    /// Compares the `days` before today (UTC), once a day, whatever number of replicas there is. `None`: that is done, or somebody is at it.
    ///
    /// # Errors
    /// As [`Self::compare`]; it is tried again later.
    pub async fn compare_last_days(&self, days: u16) -> Result<Option<Comparison>, AppError> {
        let now = self.billing.clock.now();
        let today = now.date_naive();
        let begun = {
            let mut connection = self.billing.pool.acquire().await?;
            reconcile::begin_day(&mut connection, today, now, now - LEASE).await?
        };
        if !begun {
            return Ok(None);
        }
        let to = today.and_time(chrono::NaiveTime::MIN).and_utc();
        let found = self.compare(to - TimeDelta::days(days.into()), to).await?;
        let day = DayFound { ours: found.ours, theirs: found.theirs, differences: found.count, settled: found.settled };
        let mut connection = self.billing.pool.acquire().await?;
        reconcile::end_day(&mut connection, today, day, self.billing.clock.now()).await?;
        Ok(Some(found))
    }

    /// A charge as it is now; `None` when the provider has no such one.
    async fn intent(&self, id: &str) -> Result<Option<Intent>, AppError> {
        match self.provider.intent(id).await {
            Ok(intent) => Ok(Some(intent)),
            Err(ProviderError::Refused { code, .. }) if code == "resource_missing" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether news changed something. What cannot be booked yet is booked by a later comparison, if by nobody else.
fn booked(heard: Result<Heard, AppError>) -> Result<bool, AppError> {
    match heard {
        Ok(heard) => Ok(heard == Heard::Booked),
        Err(AppError::Provider(ProviderError::Busy(_))) => Ok(false),
        Err(error) => Err(error),
    }
}
