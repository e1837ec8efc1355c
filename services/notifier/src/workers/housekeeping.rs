//! Forgets what nobody needs any more.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::Notifier;

const EVERY: Duration = Duration::from_secs(3_600);

/// Runs until `stop`.
pub async fn run(notifier: Notifier, stop: Shutdown) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match notifier.prune_inbox().await {
            Ok(forgotten) => tracing::debug!(forgotten, "inbox pruned"),
            Err(error) => tracing::warn!(%error, "inbox not pruned"),
        }
    }
}
