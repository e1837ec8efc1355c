//! An event with what travels beside its payload.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_contracts::Event;
use leadflow_kernel::EventId;

use crate::{headers, trace};

/// An event ready to be published.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Unique; the `ce-id` header and, as `Nats-Msg-Id`, the stream's de-duplication key.
    pub id: EventId,
    /// Where it goes.
    pub subject: String,
    /// The protobuf full name of the payload.
    pub kind: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// W3C trace context of what caused it.
    pub traceparent: Option<String>,
    /// The encoded message.
    pub payload: Bytes,
}

impl Envelope {
    /// Wraps `event`, which happened at `time`, with the current span's trace context.
    #[must_use]
    pub fn new<E: Event>(id: EventId, event: &E, time: DateTime<Utc>) -> Self {
        Self {
            id,
            subject: event.subject(),
            kind: E::TYPE.to_owned(),
            time,
            traceparent: trace::current(),
            payload: event.encode_to_vec().into(),
        }
    }

    /// Replaces the trace context by that of the message that caused this event.
    #[must_use]
    pub fn caused_by(mut self, traceparent: Option<&str>) -> Self {
        if let Some(traceparent) = traceparent {
            self.traceparent = Some(traceparent.to_owned());
        }
        self
    }

    /// The headers it is published with.
    #[must_use]
    pub fn headers(&self, source: &str) -> async_nats::HeaderMap {
        let mut map = async_nats::HeaderMap::new();
        let id = self.id.to_string();
        map.insert(headers::MSG_ID, id.as_str());
        map.insert(headers::ID, id.as_str());
        map.insert(headers::TYPE, self.kind.as_str());
        map.insert(headers::SOURCE, source);
        map.insert(headers::TIME, self.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).as_str());
        if let Some(traceparent) = &self.traceparent {
            map.insert(headers::TRACEPARENT, traceparent.as_str());
        }
        map
    }
}

/// An event as a consumer receives it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The publisher's id; the same for every delivery of the same event.
    pub id: EventId,
    /// Where it was published.
    pub subject: String,
    /// The protobuf full name of the payload.
    pub kind: String,
    /// W3C trace context of what caused it.
    pub traceparent: Option<String>,
    /// The encoded message.
    pub payload: Bytes,
    /// How often the stream has delivered it to this consumer, this time included.
    pub delivered: u64,
    /// Its place in the stream.
    pub sequence: u64,
}

impl Message {
    /// Decodes the payload as `E`.
    ///
    /// # Errors
    /// When the payload is not an `E`.
    pub fn decode<E: Event>(&self) -> Result<E, prost::DecodeError> {
        E::decode(self.payload.clone())
    }

    /// The trace id (32 hex digits) of what caused it, for logs.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref().and_then(trace::trace_id)
    }

    pub(crate) fn from_nats(message: &async_nats::jetstream::Message) -> Self {
        let header =
            |name: &str| message.headers.as_ref().and_then(|map| map.get(name)).map(|value| value.as_str().to_owned());
        let (delivered, sequence) =
            message.info().map_or((1, 0), |info| (u64::try_from(info.delivered).unwrap_or(1), info.stream_sequence));
        let subject = message.subject.to_string();
        // A message without our id (published by hand) is identified by its place in the stream.
        let id = header(headers::ID)
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| EventId::derive(&[subject.as_bytes(), &sequence.to_be_bytes()]));
        Self {
            id,
            subject,
            kind: header(headers::TYPE).unwrap_or_default(),
            traceparent: header(headers::TRACEPARENT),
            payload: message.payload.clone(),
            delivered,
            sequence,
        }
    }
}
