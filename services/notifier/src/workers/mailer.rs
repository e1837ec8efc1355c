//! Sends mails as they are asked for, and again when they are due. Any number of replicas may do so at once.

use std::{sync::Arc, time::Duration};

use leadflow_platform::Shutdown;
use tokio::sync::Notify;

use crate::{app::Notifier, outbound::mail::Mails};

/// Runs until `stop`; what is being sent then may go on for `drain`.
pub async fn run(
    notifier: Notifier,
    mails: Mails,
    wanted: Arc<Notify>,
    poll: Duration,
    drain: Duration,
    stop: Shutdown,
) {
    if !mails.can_send() {
        tracing::warn!("mails to people wait: there is no mail server (setting SMTP_HOST)");
    }
    while !stop.is_cancelled() {
        let step = tokio::select! {
            step = notifier.send_mails(&mails) => step,
            () = async { stop.cancelled().await; tokio::time::sleep(drain).await } => return,
        };
        match step {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "mails could not be taken or recorded"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = wanted.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}
