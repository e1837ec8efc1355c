//! Finding out what became of charges and refunds whose answer is not known.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::{AppError, payments::Payments};

/// Asked about at once.
const MOST: i64 = 32;

/// Asks the provider about what is open, later each time. Any number of replicas may run it.
#[derive(Clone)]
pub struct Settler {
    payments: Payments,
}

impl Settler {
    /// Asks with `payments`.
    #[must_use]
    pub const fn new(payments: Payments) -> Self {
        Self { payments }
    }

    /// Asks about everything that is due, once; returns how much that was.
    ///
    /// # Errors
    /// [`AppError`] when the database cannot be asked. That the provider does not answer is no error.
    pub async fn step(&self) -> Result<usize, AppError> {
        let mut all = 0;
        loop {
            let asked = self.payments.ask_about_open(MOST).await?;
            let refunds = self.payments.ask_about_refunds(MOST).await?;
            all += asked + refunds;
            if i64::try_from(asked.max(refunds)).unwrap_or(i64::MAX) < MOST {
                return Ok(all);
            }
        }
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
                tracing::warn!(error = %error, cause = ?std::error::Error::source(&error), "open payments were not asked about");
            }
        }
    }
}
