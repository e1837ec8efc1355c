//! Compares the last days' payments with the provider's books, once a day.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::{
    AppError,
    reconcile::{Comparison, Reconciler},
};

/// Compares once a day.
#[derive(Clone)]
pub struct DailyReconciler {
    reconciler: Reconciler,
    days: u16,
}

impl DailyReconciler {
    /// Compares the `days` before today.
    #[must_use]
    pub const fn new(reconciler: Reconciler, days: u16) -> Self {
        Self { reconciler, days }
    }

    /// Compares, unless that was done today, and logs every difference. `None`: nothing was to be done.
    ///
    /// # Errors
    /// When the provider or the database does not answer; a later step tries again.
    pub async fn step(&self) -> Result<Option<Comparison>, AppError> {
        let Some(found) = self.reconciler.compare_last_days(self.days).await? else { return Ok(None) };
        for difference in &found.differences {
            let payment = difference.payment.map(|id| id.to_string()).unwrap_or_default();
            tracing::error!(
                kind = difference.kind.name(),
                provider_id = difference.provider_id,
                payment_id = payment,
                ours = ?difference.ours,
                theirs = ?difference.theirs,
                settled = difference.settled,
                "our books and the payment provider's do not agree"
            );
        }
        let (ours, theirs, differences) = (found.ours, found.theirs, found.count);
        tracing::info!(
            ours,
            theirs,
            differences,
            settled = found.settled,
            "payments compared with the provider's books"
        );
        Ok(Some(found))
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
                tracing::warn!(%error, cause = ?std::error::Error::source(&error), "payments were not compared");
            }
        }
    }
}
