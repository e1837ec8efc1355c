//! Messages over core NATS, as long as the gateway runs.

use std::time::Duration;

use leadflow_messaging::{Bus, CoreMessages};
use leadflow_platform::Shutdown;

/// Hands every message on `subject` to `take`, until `shutdown`.
pub(super) async fn each(
    bus: Bus,
    subject: String,
    mut messages: CoreMessages,
    shutdown: Shutdown,
    mut take: impl FnMut(&[u8]),
) {
    loop {
        let payload = tokio::select! {
            () = shutdown.cancelled() => return,
            payload = messages.next() => payload,
        };
        if let Some(payload) = payload {
            take(&payload);
            continue;
        }
        // The subscription ended: without a new one nothing would be heard any more.
        match bus.subscribe_core(&subject).await {
            Ok(again) => messages = again,
            Err(error) => {
                tracing::warn!(%error, subject, "messages cannot be heard");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
    }
}
