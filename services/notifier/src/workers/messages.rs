//! Sends messages as they come up. Any number of replicas may do so at once.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use leadflow_platform::Shutdown;

use crate::{
    app::{Notifier, Queue},
    outbound::carrier::Carrier,
};

/// Batches of one channel at hand at once: one that its provider lets wait does not hold up the others.
const LOOPS: usize = 4;

/// Sends one channel's messages until `stop`; what is being sent then may go on for `drain`.
pub async fn send<C: Carrier>(
    notifier: Notifier,
    queue: Arc<Queue<C>>,
    poll: Duration,
    drain: Duration,
    stop: Shutdown,
) {
    if !queue.carrier().is_ready() {
        tracing::warn!(channel = queue.carrier().channel().code(), "messages wait: there is no provider");
    }
    // One asks the table often; it wakes the others when there is more than it can take.
    let polls = (0..LOOPS).map(|at| if at == 0 { poll } else { poll * 8 });
    join_all(polls.map(|poll| a_loop(&notifier, &queue, poll, drain, &stop))).await;
}

async fn a_loop<C: Carrier>(notifier: &Notifier, queue: &Queue<C>, poll: Duration, drain: Duration, stop: &Shutdown) {
    let wanted = notifier.wakes.of(queue.carrier().channel());
    while !stop.is_cancelled() {
        let step = tokio::select! {
            step = notifier.send_messages(queue) => step,
            () = async { stop.cancelled().await; tokio::time::sleep(drain).await } => return,
        };
        match step {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "messages could not be taken or recorded"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = wanted.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// Ends what is of no use any more, and takes over what an older release left behind, until `stop`.
pub async fn tidy(notifier: Notifier, poll: Duration, stop: Shutdown) {
    while !stop.is_cancelled() {
        match notifier.carry_over_mails().await {
            Ok(0) => {}
            Ok(mails) => {
                tracing::info!(mails, "took over what an older release had left to send");
                notifier.wakes.email.notify_one();
            }
            Err(error) => tracing::warn!(%error, "mails of an older release could not be taken over"),
        }
        if let Err(error) = notifier.forget_callbacks().await {
            tracing::warn!(%error, "old callbacks could not be forgotten");
        }
        match notifier.expire_messages().await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "messages could not be ended"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}
