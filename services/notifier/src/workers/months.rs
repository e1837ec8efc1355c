//! Makes and drops partitions of attempts. Any number of replicas may do so at once.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::Notifier;

/// Partitions are made months ahead: a day that is missed is no harm.
const EVERY: Duration = Duration::from_hours(12);
/// When to try again what the table was too busy for.
const FAILED: Duration = Duration::from_mins(1);

/// Runs until `stop`; attempts of `keep` months are kept, 0: all.
pub async fn run(notifier: Notifier, keep: u32, stop: Shutdown) {
    while !stop.is_cancelled() {
        let pause = match notifier.keep_months(keep).await {
            Ok(_) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "partitions of attempts could not be made or dropped");
                FAILED
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
