//! Takes what is due, for as long as there is any, then waits a little. Any number of replicas may
//! do so at once.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::{app::Notifier, config::Limits, outbound::dispatcher::Dispatcher};

/// Runs until `stop`.
pub async fn run(notifier: Notifier, dispatcher: Dispatcher, limits: Limits, poll: Duration, stop: Shutdown) {
    while !stop.is_cancelled() {
        match notifier.take_due(&dispatcher, &limits).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "due deliveries could not be taken"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = dispatcher.room() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}
