//! Works off the provider's webhooks, as soon as they come.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_platform::Shutdown;

use crate::app::{
    AppError, Billing,
    cards::Cards,
    provider_events::{ProviderEvents, Worked},
};

/// How often cards that are to be detached, and webhooks that are to be forgotten, are looked for.
const CHORES_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Works off webhooks, and does what else is left over of cards.
#[derive(Clone)]
pub struct EventWorker {
    billing: Billing,
    events: ProviderEvents,
    cards: Cards,
    kept: TimeDelta,
}

impl EventWorker {
    /// Webhooks that were worked off are kept for so long.
    #[must_use]
    pub const fn new(billing: Billing, events: ProviderEvents, cards: Cards, kept: TimeDelta) -> Self {
        Self { billing, events, cards, kept }
    }

    /// Works off everything that is due.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn step(&self) -> Result<Worked, AppError> {
        let mut all = Worked::default();
        loop {
            let some = self.events.work_off().await?;
            if !some.any() {
                return Ok(all);
            }
            all.processed += some.processed;
            all.ignored += some.ignored;
            all.failed += some.failed;
            all.given_up += some.given_up;
        }
    }

    /// Tells the provider of removed cards that it was not told of, and forgets old webhooks and attempts to store cards.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn chores(&self) -> Result<(), AppError> {
        self.cards.detach_removed().await?;
        self.cards.forget_attempts().await?;
        let forgotten = self.events.forget_older_than(self.kept).await?;
        if forgotten > 0 {
            tracing::info!(forgotten, "old webhooks forgotten");
        }
        Ok(())
    }

    /// Steps whenever a webhook comes, and every `every`, until `shutdown`.
    pub async fn run(self, every: Duration, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut chores_at = DateTime::<Utc>::MIN_UTC;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.events.came() => {}
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.step().await {
                tracing::warn!(%error, cause = ?std::error::Error::source(&error), "webhooks were not worked off");
            }
            let now = self.billing.clock().now();
            if now >= chores_at {
                chores_at = now + CHORES_EVERY;
                if let Err(error) = self.chores().await {
                    tracing::warn!(%error, cause = ?std::error::Error::source(&error), "removed cards and old webhooks stay");
                }
            }
        }
    }
}
