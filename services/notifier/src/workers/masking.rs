//! Removes what is kept of leads whose personal data goes. Any number of replicas may do so at once.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::Notifier;

/// Runs until `stop`.
pub async fn run(notifier: Notifier, poll: Duration, stop: Shutdown) {
    while !stop.is_cancelled() {
        match notifier.mask_sales().await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "what is kept of masked leads could not be removed"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}
