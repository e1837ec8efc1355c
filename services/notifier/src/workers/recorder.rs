//! Records results in groups: whatever comes in within a moment, and since the last commit, up to a
//! limit. Nobody waits for a record, so the moment costs nothing, and a commit serves many.

use std::time::Duration;

use leadflow_kernel::Backoff;
use leadflow_messaging::trace;
use leadflow_platform::Shutdown;
use tokio::sync::mpsc;

use crate::{
    app::Notifier,
    model::Finished,
    outbound::dispatcher::{Result, Slot},
};

const GROUP: usize = 512;
/// How long the first result of a group waits for others. A crash in it only repeats requests, as one
/// before the commit does anyway.
const GATHER: Duration = Duration::from_millis(40);
const RETRY: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// Tries at the end, when nobody can wait longer; then the leases end and others send again.
const LAST_TRIES: u32 = 5;

/// Runs until `stop`, then records what is left.
pub async fn run(notifier: Notifier, mut results: mpsc::Receiver<Result>, stop: Shutdown) {
    let mut group: Vec<Result> = Vec::with_capacity(GROUP);
    loop {
        tokio::select! {
            biased;
            _ = results.recv_many(&mut group, 1) => {}
            () = stop.cancelled() => {}
        }
        if results.len() < GROUP && !group.is_empty() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(GATHER) => {}
            }
        }
        while group.len() < GROUP
            && let Ok(result) = results.try_recv()
        {
            group.push(result);
        }
        if group.is_empty() {
            return;
        }
        record(&notifier, group.drain(..), &stop).await;
    }
}

async fn record(notifier: &Notifier, group: impl Iterator<Item = Result>, stop: &Shutdown) {
    // Slots are kept until the results are recorded: memory stays bounded while the database is away.
    let (finished, slots): (Vec<Finished>, Vec<Option<Slot>>) = group.unzip();
    let mut failures = 0;
    while let Err(error) = notifier.record_results(&finished).await {
        failures += 1;
        if is_refused(&error) {
            record_one_by_one(notifier, finished).await;
            break;
        }
        tracing::warn!(results = finished.len(), failures, %error, "results not recorded yet");
        if stop.is_cancelled() && failures >= LAST_TRIES {
            tracing::error!(results = finished.len(), "results not recorded; these deliveries will be sent again");
            break;
        }
        tokio::time::sleep(RETRY.delay(failures, rand::random())).await;
    }
    drop(slots);
}

/// The data itself is refused, so trying again does not help: the rest must not suffer from it.
async fn record_one_by_one(notifier: &Notifier, finished: Vec<Finished>) {
    for one in finished {
        let (delivery_id, sale) = (one.job.key.id, one.job.key.sale);
        let traceparent = one.job.traceparent.clone();
        if let Err(error) = notifier.record_results(&[one]).await {
            tracing::error!(
                lead_id = sale.map(|sale| tracing::field::display(sale.lead)),
                trace_id = traceparent.as_deref().and_then(trace::trace_id),
                %delivery_id, %error, "a result cannot be recorded; the delivery will be sent again"
            );
        }
    }
}

fn is_refused(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|database| database.code())
        .is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
