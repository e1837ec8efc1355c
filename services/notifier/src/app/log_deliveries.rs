//! What the log has of deliveries: a line for each at debug, warnings of those that no buyer will get. Never what a receiver answered, which
//! may be the lead itself.

use leadflow_kernel::LeadId;
use leadflow_messaging::trace;
use tracing::field::{DisplayValue, display};

use crate::{
    model::{DeliveryKey, End, Finished},
    store::deliveries::{Ending, Status},
};

fn lead_of(key: &DeliveryKey) -> Option<DisplayValue<LeadId>> {
    key.sale.map(|sale| display(sale.lead))
}

/// Lines of what was recorded: each result with how its delivery stands now.
pub(super) fn recorded<'a>(results: impl Iterator<Item = (&'a Finished, &'a Ending)>) {
    let mut off = 0_u64;
    for (Finished { job, end }, ending) in results {
        let (lead_id, trace_id) = (lead_of(&job.key), job.traceparent.as_deref().and_then(trace::trace_id));
        let (delivery_id, endpoint_id, attempts) = (job.key.id, job.endpoint.id, ending.attempts_made);
        match end {
            End::Attempted(attempt) if ending.status == Status::GaveUp => tracing::warn!(
                lead_id, trace_id, seller_id = %job.key.seller, %delivery_id, %endpoint_id, attempts,
                status_code = attempt.status_code, "webhook given up"
            ),
            End::Attempted(attempt) => tracing::debug!(
                lead_id, trace_id, %delivery_id, %endpoint_id, attempts, status_code = attempt.status_code,
                duration_ms = attempt.duration_ms, status = ending.status.text(), "webhook attempted"
            ),
            End::EndpointOff(_) => {
                off += 1;
                not_sent(&job.key, job.traceparent.as_deref());
            }
            End::GivenBack => {}
        }
    }
    if off > 0 {
        // All that waits for an endpoint ends when it is switched off: not a warning for each.
        tracing::warn!(webhooks = off, "webhooks given up: their endpoints are off");
    }
}

/// A line of one that ends because its endpoint is off.
pub(super) fn not_sent(key: &DeliveryKey, traceparent: Option<&str>) {
    tracing::debug!(
        lead_id = lead_of(key), trace_id = traceparent.and_then(trace::trace_id), delivery_id = %key.id,
        "webhook not sent: its endpoint is off"
    );
}
