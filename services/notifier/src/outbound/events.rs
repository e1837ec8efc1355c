//! Events told to others.

use chrono::{DateTime, Utc};
use leadflow_contracts::{events, time_to_ms};
use leadflow_kernel::{EndpointId, EventId};
use leadflow_messaging::Envelope;

use crate::{model::DeliveryKey, store::endpoints::Ailing};

/// A delivery has ended. The event's id follows from the delivery's, so telling it twice is telling
/// it once.
#[must_use]
pub fn delivery_ended(
    key: &DeliveryKey,
    endpoint: EndpointId,
    attempts: u32,
    error: Option<&str>,
    at: DateTime<Utc>,
    traceparent: Option<&str>,
) -> Envelope {
    let event = events::DeliveryEnded {
        delivery_id: key.id.to_string(),
        assignment_id: key.assignment.to_string(),
        lead_id: key.lead.to_string(),
        buyer_id: key.buyer.to_string(),
        seller_id: key.seller.to_string(),
        endpoint_id: endpoint.to_string(),
        delivered: error.is_none(),
        attempts,
        error: error.unwrap_or_default().to_owned(),
        ended_at_ms: time_to_ms(at),
    };
    Envelope::new(EventId::derive(&[b"ended", key.id.as_bytes()]), &event, at).caused_by(traceparent)
}

/// An endpoint was switched off by the system.
#[must_use]
pub fn endpoint_disabled(
    endpoint: &Ailing,
    failing_since: Option<DateTime<Utc>>,
    reason: &str,
    at: DateTime<Utc>,
) -> Envelope {
    let event = events::EndpointDisabled {
        endpoint_id: endpoint.id.to_string(),
        buyer_id: endpoint.buyer.to_string(),
        seller_id: endpoint.seller.to_string(),
        reason: reason.to_owned(),
        failing_since_ms: failing_since.map_or(0, time_to_ms),
    };
    Envelope::new(EventId::new(), &event, at)
}
