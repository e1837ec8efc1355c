//! The stored form of one transaction's events.

use chrono::DateTime;
use leadflow_kernel::EventId;
use prost::Message;
use uuid::Uuid;

use crate::Envelope;

#[derive(Clone, PartialEq, Message)]
struct StoredBatch {
    #[prost(message, repeated, tag = "1")]
    events: Vec<StoredEvent>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredEvent {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(string, tag = "2")]
    subject: String,
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(int64, tag = "4")]
    time_ms: i64,
    #[prost(string, optional, tag = "5")]
    traceparent: Option<String>,
    #[prost(bytes = "bytes", tag = "6")]
    payload: bytes::Bytes,
}

pub(crate) fn encode(events: &[Envelope]) -> Vec<u8> {
    let events = events
        .iter()
        .map(|event| StoredEvent {
            id: event.id.as_bytes().to_vec(),
            subject: event.subject.clone(),
            kind: event.kind.clone(),
            time_ms: event.time.timestamp_millis(),
            traceparent: event.traceparent.clone(),
            payload: event.payload.clone(),
        })
        .collect();
    StoredBatch { events }.encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Envelope>, prost::DecodeError> {
    let batch = StoredBatch::decode(bytes)?;
    Ok(batch
        .events
        .into_iter()
        .map(|event| Envelope {
            id: EventId::from_uuid(Uuid::from_slice(&event.id).unwrap_or_default()),
            subject: event.subject,
            kind: event.kind,
            time: DateTime::from_timestamp_millis(event.time_ms).unwrap_or_default(),
            traceparent: event.traceparent,
            payload: event.payload,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use leadflow_contracts::events::WalletCredited;

    use super::*;

    #[test]
    fn a_stored_batch_reads_back_as_it_was() {
        let time = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        let mut event =
            Envelope::new(EventId::new(), &WalletCredited { buyer_id: "b".into(), ..Default::default() }, time);
        event.traceparent = Some(crate::trace::fresh());
        let back = decode(&encode(std::slice::from_ref(&event))).unwrap();
        assert_eq!(back.len(), 1);
        assert_eq!(format!("{:?}", back[0]), format!("{event:?}"));
    }
}
