//! Tells buyers each morning of the day before. Any number of replicas may do so at once.

use std::{sync::Arc, time::Duration};

use leadflow_platform::Shutdown;

use crate::{app::Notifier, outbound::numbers::Numbers};

/// Runs until `stop`, a look every `poll`.
pub async fn run(notifier: Notifier, numbers: Arc<dyn Numbers>, poll: Duration, stop: Shutdown) {
    while !stop.is_cancelled() {
        let step = tokio::select! {
            step = notifier.sum_up_days(numbers.as_ref()) => step,
            // Whatever is not marked is looked at again.
            () = stop.cancelled() => return,
        };
        match step {
            Ok(0) => {}
            Ok(told) => tracing::info!(told, "days were summed up"),
            Err(error) => tracing::warn!(%error, "days could not be summed up"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}
