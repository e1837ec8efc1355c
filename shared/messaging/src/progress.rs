//! How far a consumer is.

use crate::{
    Bus,
    bus::BusError,
    consumer::BoxError,
    janitor,
    topology::{self, ConsumerSpec},
};

/// The number of the last message of `stream`; 0: there never was one.
///
/// # Errors
/// [`BusError::Topology`] when the stream cannot be read.
pub async fn last_sequence(bus: &Bus, stream: &str) -> Result<u64, BusError> {
    let handle = bus.jetstream().get_stream(stream).await.map_err(|error| failed(stream, error.into()))?;
    Ok(handle.cached_info().state.last_sequence)
}

/// Where a consumer was when it was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    done: u64,
    last: u64,
}

impl Position {
    /// Whether it had acknowledged everything that it wants up to this message of its stream.
    #[must_use]
    pub fn has_passed(self, sequence: u64) -> bool {
        self.done >= sequence.min(self.last)
    }
}

/// Where a declared consumer is.
///
/// # Errors
/// [`BusError::Topology`] when stream or consumer cannot be read.
pub async fn position(bus: &Bus, stream: &str, consumer: &str) -> Result<Position, BusError> {
    let specs: Vec<ConsumerSpec> = topology::consumers();
    let Some(spec) = specs.iter().find(|spec| spec.stream == stream && spec.name == consumer) else {
        return Err(failed(stream, format!("there is no consumer {consumer}").into()));
    };
    let handle = bus.jetstream().get_stream(stream).await.map_err(|error| failed(stream, error.into()))?;
    let last = handle.cached_info().state.last_sequence;
    let done = janitor::done_with(&handle, spec, last).await.map_err(|error| failed(stream, error))?;
    Ok(Position { done, last })
}

/// A message as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its number.
    pub number: u64,
    /// Where it was published.
    pub subject: String,
    /// Everything about it but its body, as text.
    pub headers: String,
    /// Its body.
    pub payload: bytes::Bytes,
}

/// The first message of `stream` from number `from` on.
///
/// # Errors
/// [`BusError::Topology`] when the stream cannot be read.
pub async fn next(bus: &Bus, stream: &str, from: u64) -> Result<Option<Stored>, BusError> {
    use async_nats::jetstream::stream::DirectGetErrorKind;
    let handle = bus.jetstream().get_stream(stream).await.map_err(|error| failed(stream, error.into()))?;
    match handle.direct_get_next_for_subject(">", Some(from)).await {
        Ok(message) => Ok(Some(Stored {
            number: message.sequence,
            subject: message.subject.to_string(),
            headers: format!("{:?}", message.headers),
            payload: message.payload,
        })),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(stream, error.into())),
    }
}

fn failed(stream: &str, source: BoxError) -> BusError {
    BusError::Topology { what: format!("stream {stream} cannot be read"), source: Some(source) }
}
