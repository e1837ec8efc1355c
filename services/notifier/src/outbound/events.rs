//! Events told to others.

use chrono::{DateTime, Utc};
use leadflow_contracts::{events, time_to_ms};
use leadflow_kernel::{EndpointId, EventId};
use leadflow_messaging::Envelope;
use leadflow_notifier_domain::{Channel, MessageKind};

use crate::{
    model::{DeliveryKey, SaleKey},
    store::{
        health::Ailing,
        messages::{MessageKey, MessageStatus},
    },
};

/// A delivery has ended, after so many attempts, of which some were made before it was last sent again. The event's id follows from
/// the delivery's and from those, so telling it twice is telling it once, and sending it again ends once more.
#[must_use]
pub fn delivery_ended(
    key: &DeliveryKey,
    endpoint: EndpointId,
    (attempts, before): (u32, u32),
    error: Option<&str>,
    at: DateTime<Utc>,
    traceparent: Option<&str>,
) -> Envelope {
    let event = events::DeliveryEnded {
        delivery_id: key.id.to_string(),
        assignment_id: key.sale.map(|sale| sale.assignment.to_string()).unwrap_or_default(),
        lead_id: key.sale.map(|sale| sale.lead.to_string()).unwrap_or_default(),
        buyer_id: key.buyer.to_string(),
        seller_id: key.seller.to_string(),
        endpoint_id: endpoint.to_string(),
        delivered: error.is_none(),
        attempts,
        error: error.unwrap_or_default().to_owned(),
        ended_at_ms: time_to_ms(at),
    };
    let id = if before == 0 {
        EventId::derive(&[b"ended", key.id.as_bytes()])
    } else {
        EventId::derive(&[b"ended again", key.id.as_bytes(), &before.to_be_bytes()])
    };
    Envelope::new(id, &event, at).caused_by(traceparent)
}

/// A buyer's own system does not take a lead. The event's id follows from the sale: whichever of his endpoints says so, it is
/// told once.
#[must_use]
pub fn lead_refused(
    key: &DeliveryKey,
    sale: SaleKey,
    duplicate: bool,
    because: &str,
    at: DateTime<Utc>,
    traceparent: Option<&str>,
) -> Envelope {
    let refusal = if duplicate { events::LeadRefusal::Duplicate } else { events::LeadRefusal::Rejected };
    let event = events::LeadRefused {
        delivery_id: key.id.to_string(),
        assignment_id: sale.assignment.to_string(),
        lead_id: sale.lead.to_string(),
        buyer_id: key.buyer.to_string(),
        seller_id: key.seller.to_string(),
        refusal: refusal.into(),
        because: because.to_owned(),
        at_ms: time_to_ms(at),
    };
    Envelope::new(EventId::derive(&[b"refused", sale.assignment.as_bytes()]), &event, at).caused_by(traceparent)
}

/// A webhook has arrived, which the seller pays for: once, whatever it took. The message's id is the delivery's, so one
/// that arrives again, because its first result was lost, is the same message.
#[must_use]
pub fn webhook_sent(key: &DeliveryKey, at: DateTime<Utc>, traceparent: Option<&str>) -> Envelope {
    let event = events::UsageRecorded {
        message_id: key.id.to_string(),
        seller_id: key.seller.to_string(),
        buyer_id: key.buyer.to_string(),
        kind: events::UsageKind::Webhook.into(),
        units: 1,
        at_ms: time_to_ms(at),
    };
    Envelope::new(EventId::derive(&[b"usage", key.id.as_bytes()]), &event, at).caused_by(traceparent)
}

/// A message was taken by its provider, which its tenant pays for.
#[must_use]
pub fn message_sent(key: &MessageKey, units: u32, at: DateTime<Utc>) -> Option<Envelope> {
    let seller = key.seller?;
    let kind = match key.channel {
        Channel::Email => events::UsageKind::Email,
        Channel::Sms => events::UsageKind::Sms,
    };
    let usage = events::UsageRecorded {
        message_id: key.id.to_string(),
        seller_id: seller.to_string(),
        buyer_id: key.buyer.map(|buyer| buyer.to_string()).unwrap_or_default(),
        kind: kind.into(),
        units,
        at_ms: time_to_ms(at),
    };
    Some(Envelope::new(EventId::derive(&[b"usage", key.id.as_bytes()]), &usage, at))
}

/// A message to a buyer has ended, or its provider told more of it.
#[must_use]
pub fn message_ended(key: &MessageKey, status: MessageStatus, error: &str, at: DateTime<Utc>) -> Option<Envelope> {
    let (seller, buyer) = (key.seller?, key.buyer?);
    let event = events::MessageEnded {
        message_id: key.id.to_string(),
        seller_id: seller.to_string(),
        buyer_id: buyer.to_string(),
        channel: key.channel.code().to_owned(),
        kind: key.kind.map(MessageKind::code).unwrap_or_default().to_owned(),
        status: status.text().to_owned(),
        error: error.to_owned(),
        lead_id: key.lead.map(|lead| lead.to_string()).unwrap_or_default(),
        at_ms: time_to_ms(at),
    };
    Some(Envelope::new(EventId::derive(&[b"ended", key.id.as_bytes(), status.text().as_bytes()]), &event, at))
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
