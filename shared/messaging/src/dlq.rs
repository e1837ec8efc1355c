//! Dead letters: messages that a consumer could not process, with their error, until a person has
//! looked and sends them again.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{self, stream::DirectGetErrorKind},
};
use chrono::{DateTime, Utc};
use leadflow_contracts::streams;
use leadflow_kernel::EventId;

use crate::{Bus, BusError, Message, consumer::ConsumerSettings, headers};

/// One dead letter.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its number in the DLQ stream.
    pub number: u64,
    /// When it was put there.
    pub at: DateTime<Utc>,
    /// The event's id.
    pub event_id: String,
    /// The protobuf full name of the payload.
    pub kind: String,
    /// Where it was published first.
    pub subject: String,
    /// The stream and the consumer that could not process it.
    pub consumer: String,
    /// Why.
    pub error: String,
    /// The payload.
    pub payload: bytes::Bytes,
    headers: HeaderMap,
}

pub(crate) async fn bury(
    bus: &Bus,
    settings: ConsumerSettings,
    message: &Message,
    delivery: &jetstream::Message,
    error: &str,
) -> Result<(), BusError> {
    let mut map = delivery.headers.clone().unwrap_or_default();
    // The same event can fail at two consumers; each burial is its own message, once.
    let id = format!("{}/{}/{}/{}", settings.stream, settings.consumer, message.sequence, message.id);
    map.insert(headers::MSG_ID, id.as_str());
    // The delivery may be a bundle of which this event is one.
    map.insert(headers::ID, message.id.to_string().as_str());
    map.insert(headers::TYPE, message.kind.as_str());
    if let Some(traceparent) = &message.traceparent {
        map.insert(headers::TRACEPARENT, traceparent.as_str());
    }
    map.insert(headers::DLQ_SUBJECT, message.subject.as_str());
    map.insert(headers::DLQ_STREAM, settings.stream);
    map.insert(headers::DLQ_CONSUMER, settings.consumer);
    map.insert(headers::DLQ_SEQUENCE, message.sequence.to_string().as_str());
    let one_line: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1_000).collect();
    map.insert(headers::DLQ_ERROR, one_line.as_str());
    let subject = format!("dlq.{}.{}", settings.stream, settings.consumer);
    publish(bus, &subject, map, message.payload.clone()).await
}

/// Up to `limit` dead letters, oldest first, from number `from` on.
///
/// # Errors
/// [`BusError::Topology`] when the stream cannot be read.
pub async fn list(bus: &Bus, from: u64, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
    let mut stream = stream(bus).await?;
    let state = stream.info().await.map_err(|error| unreadable(error.to_string()))?.state.clone();
    let mut letters = Vec::new();
    let mut number = from.max(state.first_sequence).max(1);
    while number <= state.last_sequence && letters.len() < limit {
        if let Some(letter) = show(bus, number).await? {
            letters.push(letter);
        }
        number += 1;
    }
    Ok(letters)
}

/// The dead letter with this number; `None` when there is none.
///
/// # Errors
/// [`BusError::Topology`] when the stream cannot be read.
pub async fn show(bus: &Bus, number: u64) -> Result<Option<DeadLetter>, BusError> {
    let stream = stream(bus).await?;
    let message = match stream.direct_get(number).await {
        Ok(message) => message,
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let nanos = message.time.unix_timestamp_nanos();
    let at = DateTime::from_timestamp_micros(i64::try_from(nanos / 1_000).unwrap_or_default()).unwrap_or_default();
    Ok(Some(DeadLetter {
        number,
        at,
        event_id: header(headers::ID),
        kind: header(headers::TYPE),
        subject: header(headers::DLQ_SUBJECT),
        consumer: format!("{}/{}", header(headers::DLQ_STREAM), header(headers::DLQ_CONSUMER)),
        error: header(headers::DLQ_ERROR),
        payload: message.payload.clone(),
        headers: message.headers.clone(),
    }))
}

/// Publishes a dead letter again where it came from, then removes it. Every consumer of that
/// subject sees it; those that had processed it know its event id.
///
/// # Errors
/// [`BusError`]; the letter then stays.
pub async fn redrive(bus: &Bus, letter: &DeadLetter) -> Result<(), BusError> {
    let mut map = HeaderMap::new();
    for (name, values) in letter.headers.iter() {
        let name_text = name.to_string();
        if !name_text.starts_with("dlq-") && name_text != headers::MSG_ID {
            for value in values {
                map.append(name.clone(), value.clone());
            }
        }
    }
    // A new key: the stream would take the event's own id for a duplicate.
    map.insert(headers::MSG_ID, format!("redrive/{}", EventId::new()).as_str());
    publish(bus, &letter.subject, map, letter.payload.clone()).await?;
    remove(bus, letter.number).await
}

/// Removes the dead letter with this number.
///
/// # Errors
/// [`BusError::Topology`] when the stream cannot be changed, or there is no such one.
pub async fn remove(bus: &Bus, number: u64) -> Result<(), BusError> {
    stream(bus).await?.delete_message(number).await.map(|_| ()).map_err(|error| unreadable(error.to_string()))
}

/// Removes a dead letter for good; one that is gone already is no error.
///
/// # Errors
/// [`BusError`]; the letter may then still be there.
pub async fn forget(bus: &Bus, number: u64) -> Result<(), BusError> {
    match stream(bus).await?.delete_message(number).await {
        Ok(_) => Ok(()),
        Err(error) if show(bus, number).await?.is_some() => Err(unreadable(error.to_string())),
        Err(_) => Ok(()),
    }
}

/// Puts another payload and error in a dead letter's place; all else stays, but for its number. When it fails on the way both may be there.
///
/// # Errors
/// [`BusError`].
pub async fn replace(bus: &Bus, letter: &DeadLetter, payload: bytes::Bytes, error: &str) -> Result<(), BusError> {
    let mut map = letter.headers.clone();
    // Said twice it is stored once, beside the one that it replaces.
    let id = map.get(headers::MSG_ID).map(|id| id.as_str().to_owned()).unwrap_or_default();
    map.insert(headers::MSG_ID, format!("{id}/replaces {}", letter.number).as_str());
    map.insert(headers::DLQ_ERROR, error);
    publish(bus, &format!("dlq.{}", letter.consumer.replace('/', ".")), map, payload).await?;
    forget(bus, letter.number).await
}

async fn publish(bus: &Bus, subject: &str, map: HeaderMap, payload: bytes::Bytes) -> Result<(), BusError> {
    let failed = |error: async_nats::jetstream::context::PublishError| BusError::Publish {
        subject: subject.to_owned(),
        source: Box::new(error),
    };
    let ack = bus.jetstream().publish_with_headers(subject.to_owned(), map, payload).await.map_err(failed)?;
    tokio::time::timeout(Duration::from_secs(5), ack)
        .await
        .map_err(|error| BusError::Publish { subject: subject.to_owned(), source: Box::new(error) })?
        .map_err(failed)?;
    Ok(())
}

async fn stream(bus: &Bus) -> Result<jetstream::stream::Stream, BusError> {
    bus.jetstream().get_stream(streams::DLQ).await.map_err(|error| unreadable(error.to_string()))
}

fn unreadable(error: String) -> BusError {
    BusError::Topology { what: format!("stream {}: {error}", streams::DLQ), source: None }
}

/// Kept to the second for display; a clock is not needed to read a stored time.
impl DeadLetter {
    /// The time it was put aside, for people.
    #[must_use]
    pub fn at_text(&self) -> String {
        self.at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
    }
}
