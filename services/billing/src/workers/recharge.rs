//! Recharging wallets that run low.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::{
    AppError,
    payments::{Looked, Payments},
};

/// Wallets looked at at once.
const MOST: i64 = 32;

/// How often wallets are looked for that are low without anybody having told.
const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// Charges cards of wallets that are due. Any number of replicas may run it.
#[derive(Clone)]
pub struct Recharger {
    payments: Payments,
}

impl Recharger {
    /// Recharges with `payments`.
    #[must_use]
    pub const fn new(payments: Payments) -> Self {
        Self { payments }
    }

    /// Looks at every wallet that is due, once.
    ///
    /// # Errors
    /// [`AppError`] when the database cannot be asked.
    pub async fn step(&self) -> Result<Looked, AppError> {
        let mut all = Looked::default();
        loop {
            let looked = self.payments.recharge_due(MOST).await?;
            all.wallets += looked.wallets;
            all.charged += looked.charged;
            if i64::try_from(looked.wallets).unwrap_or(i64::MAX) < MOST {
                return Ok(all);
            }
        }
    }

    /// Steps every `every` until `shutdown`.
    pub async fn run(self, every: Duration, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sweeps = tokio::time::interval(SWEEP_EVERY);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let result = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => self.step().await.map(|_| ()),
                _ = sweeps.tick() => self.payments.sweep_low_wallets().await.map(|_| ()),
            };
            if let Err(error) = result {
                tracing::warn!(error = %error, cause = ?std::error::Error::source(&error), "wallets were not recharged");
            }
        }
    }
}
