//! Pricing messages that had no price, posting them at the end of their month, and forgetting which were counted long ago.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::usage::Usage;

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Sums that have got a price.
    pub priced: u64,
    /// Months posted.
    pub posted: u32,
    /// Messages forgotten.
    pub forgotten: u64,
}

/// Prices what had no price, posts what is due, and forgets what is old. Any number of replicas may do so.
///
/// # Errors
/// Those of PostgreSQL; what was done stays so, and the next step does the rest.
pub async fn step(usage: &Usage) -> Result<Step, sqlx::Error> {
    Ok(Step {
        priced: usage.price_waiting().await?,
        posted: usage.post_months().await?,
        forgotten: usage.forget().await?,
    })
}

/// Steps every `every` until `shutdown`.
pub async fn run(usage: Usage, every: Duration, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = step(&usage).await {
            tracing::warn!(%error, "messages of past months were not all posted");
        }
    }
}
