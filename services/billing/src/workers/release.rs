//! Releasing holds that nobody captured: distribution died, or rolled back, after they were placed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use leadflow_kernel::SellerId;
use leadflow_platform::Shutdown;

use crate::{
    app::{AppError, Billing, SeenHold},
    outbound::assignments::{Assignments, MOST},
    store::holds::{self, StaleHold},
};

/// Looks for holds that have stood for long, asks distribution about them, and releases those it does not
/// know. Any number of replicas may run it: a release counts only for a hold that stands and was not
/// placed again since it was looked at.
#[derive(Clone)]
pub struct Releaser {
    billing: Billing,
    assignments: Arc<dyn Assignments>,
    after: TimeDelta,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Holds that have stood for long.
    pub stale: u32,
    /// Of these, assignments that exist: their `lead.assigned` is on its way.
    pub assigned: u32,
    /// Holds given back.
    pub released: u32,
    /// Holds that nothing could be learned about; the next step asks again.
    pub unknown: u32,
}

impl Releaser {
    /// A releaser of holds that have stood for longer than `after`.
    #[must_use]
    pub fn new(billing: Billing, assignments: Arc<dyn Assignments>, after: TimeDelta) -> Self {
        Self { billing, assignments, after }
    }

    /// Looks at every hold that has stood for long, once.
    ///
    /// # Errors
    /// [`AppError`] when the database cannot be asked. That distribution does not answer is no error: its
    /// holds stay.
    pub async fn step(&self) -> Result<Step, AppError> {
        let before = self.billing.clock().now() - self.after;
        let mut step = Step::default();
        let mut last: Option<StaleHold> = None;
        loop {
            let page = {
                let mut connection = self.billing.pool().acquire().await?;
                holds::stale(&mut connection, before, last.as_ref(), MOST).await?
            };
            self.settle(&page, &mut step).await?;
            if page.len() < MOST {
                return Ok(step);
            }
            last = page.last().copied();
        }
    }

    async fn settle(&self, page: &[StaleHold], step: &mut Step) -> Result<(), AppError> {
        let mut tenants: BTreeMap<SellerId, Vec<&StaleHold>> = BTreeMap::new();
        for hold in page {
            tenants.entry(hold.seller).or_default().push(hold);
        }
        for (tenant, holds) in tenants {
            let count = u32::try_from(holds.len()).unwrap_or(u32::MAX);
            step.stale += count;
            let asked: Vec<_> = holds.iter().map(|hold| (hold.id, hold.campaign)).collect();
            let known = match self.assignments.known(tenant, &asked).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::warn!(seller_id = %tenant, holds = count, %error, "cannot tell whether old holds are needed; they stay");
                    step.unknown += count;
                    continue;
                }
            };
            let orphans: Vec<SeenHold> = holds
                .iter()
                .filter(|hold| !known.contains(&hold.id))
                .map(|hold| SeenHold { id: hold.id, attempts: Some(hold.attempts) })
                .collect();
            step.assigned += count - u32::try_from(orphans.len()).unwrap_or(count);
            if !orphans.is_empty() {
                let released = self.billing.release_holds(tenant, &orphans).await?;
                tracing::info!(seller_id = %tenant, released, "holds without an assignment released");
                step.released += released;
            }
        }
        Ok(())
    }

    /// Steps every `every` until `shutdown`.
    pub async fn run(self, every: Duration, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.step().await {
                tracing::warn!(error = %error, cause = ?std::error::Error::source(&error), "old holds were not looked at");
            }
        }
    }
}
