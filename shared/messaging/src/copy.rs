//! Streams as they are, message by message, for backups: reading what is stored in order, and storing it again elsewhere.

use std::{collections::VecDeque, time::Duration};

use async_nats::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
    jetstream::{
        ErrorCode,
        consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
        context::{GetStreamError, GetStreamErrorKind, PublishAckFuture},
        stream::Stream,
    },
};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::{Bus, BusError, consumer::BoxError, topology::STREAMS};

/// Messages asked for at once, and acknowledgements waited for at once.
const AT_ONCE: usize = 500;
/// How long a reader that was not closed may be silent before the server forgets it.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers that tell the stream what it must hold already: not true of another one.
const EXPECTATIONS: &str = "nats-expected-";

/// A message as a stream holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number in the stream.
    pub sequence: u64,
    /// Where it was published.
    pub subject: String,
    /// Its headers, in order.
    pub headers: Vec<(String, String)>,
    /// Its bytes.
    pub payload: Bytes,
}

/// Reads a stream from its beginning. Acknowledges nothing: what consumers have before them does not change. The server keeps a consumer for
/// it: whoever opens one closes it, whatever became of the reading.
pub struct Reader {
    stream: Stream,
    consumer: Consumer<pull::Config>,
    read: u64,
}

impl Reader {
    /// Opens it.
    ///
    /// # Errors
    /// [`BusError::Topology`] when there is no such stream.
    pub async fn open(bus: &Bus, name: &str) -> Result<Self, BusError> {
        let stream = bus.jetstream().get_stream(name).await.map_err(|error| unreadable(name, error.into()))?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| unreadable(name, error.into()))?;
        Ok(Self { stream, consumer, read: 0 })
    }

    /// The number of the last message that was ever stored; 0: none was.
    ///
    /// # Errors
    /// [`BusError::Topology`] when the server does not answer.
    pub async fn last(&mut self) -> Result<u64, BusError> {
        let info = self.stream.info().await.map_err(|error| unreadable("", error.into()))?;
        Ok(info.state.last_sequence)
    }

    /// Goes on reading until number `until` was met, or is known to be gone; `sink` gets each message once over all calls, the last ones may be
    /// later than `until`.
    ///
    /// # Errors
    /// [`BusError::Topology`] when the server does not answer, or `sink` fails.
    pub async fn read_to(
        &mut self,
        until: u64,
        mut sink: impl FnMut(Stored) -> Result<(), BoxError>,
    ) -> Result<(), BusError> {
        let name = self.stream.cached_info().config.name.clone();
        let failed = |error: BoxError| unreadable(&name, error);
        while self.read < until {
            let batch = self.consumer.fetch().max_messages(AT_ONCE).messages().await;
            let mut batch = batch.map_err(|error| failed(error.into()))?;
            let mut some = false;
            while let Some(message) = batch.next().await {
                let message = message.map_err(failed)?;
                let sequence = message.info().map_err(failed)?.stream_sequence;
                let headers = message.headers.iter().flat_map(HeaderMap::iter).flat_map(|(name, values)| {
                    values.iter().map(move |value| (name.to_string(), value.as_str().to_owned()))
                });
                let headers = headers.collect();
                let payload = message.payload.clone();
                sink(Stored { sequence, subject: message.subject.to_string(), headers, payload }).map_err(failed)?;
                (some, self.read) = (true, sequence);
            }
            if !some {
                let info = self.consumer.info().await.map_err(|error| failed(error.into()))?;
                if info.num_pending == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the server's consumer away.
    ///
    /// # Errors
    /// [`BusError::Topology`] when the server does not answer; it then forgets the consumer by itself after some minutes.
    pub async fn close(self) -> Result<(), BusError> {
        let deleted = self.stream.delete_consumer(&self.consumer.cached_info().name).await;
        deleted.map(|_| ()).map_err(|error| unreadable(&self.stream.cached_info().config.name, error.into()))
    }
}

/// Stores messages again, in their order.
pub struct Writer {
    bus: Bus,
    waited_for: VecDeque<(String, PublishAckFuture)>,
    written: u64,
}

impl Writer {
    /// Where they go. The streams must be there ([`crate::topology::ensure`]).
    #[must_use]
    pub const fn new(bus: Bus) -> Self {
        Self { bus, waited_for: VecDeque::new(), written: 0 }
    }

    /// Stores one, sooner or later. Told twice within the stream's window of duplicates, it is there once.
    ///
    /// # Errors
    /// [`BusError::Publish`] when this or an earlier one was not stored.
    pub async fn write(&mut self, message: Stored) -> Result<(), BusError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &message.headers {
            if name.to_ascii_lowercase().starts_with(EXPECTATIONS) {
                continue;
            }
            let unusable = |error: BoxError| BusError::Publish { subject: message.subject.clone(), source: error };
            let name: HeaderName = name.parse().map_err(|error| unusable(Box::new(error)))?;
            let value: HeaderValue = value.parse().map_err(|error| unusable(Box::new(error)))?;
            headers.append(name, value);
        }
        let published =
            self.bus.jetstream().publish_with_headers(message.subject.clone(), headers, message.payload).await;
        let ack = published.map_err(|error| not_stored(&message.subject, error.into()))?;
        self.waited_for.push_back((message.subject, ack));
        if self.waited_for.len() >= AT_ONCE { self.wait_for_one().await } else { Ok(()) }
    }

    /// Waits until all are stored; how many there were.
    ///
    /// # Errors
    /// [`BusError::Publish`] when one was not stored.
    pub async fn finish(mut self) -> Result<u64, BusError> {
        while !self.waited_for.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(self.written)
    }

    async fn wait_for_one(&mut self) -> Result<(), BusError> {
        let Some((subject, ack)) = self.waited_for.pop_front() else { return Ok(()) };
        let ack = tokio::time::timeout(ACK_TIMEOUT, ack).await.map_err(|error| not_stored(&subject, error.into()))?;
        ack.map_err(|error| not_stored(&subject, error.into()))?;
        self.written += 1;
        Ok(())
    }
}

/// The streams that hold messages or ever did, of those that [`crate::topology`] declares; empty: a new server.
///
/// # Errors
/// [`BusError::Topology`] when the server does not answer.
pub async fn used(bus: &Bus) -> Result<Vec<&'static str>, BusError> {
    let mut used = Vec::new();
    for name in STREAMS {
        match bus.jetstream().get_stream(name).await {
            Ok(stream) if stream.cached_info().state.last_sequence > 0 => used.push(name),
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(unreadable(name, error.into())),
        }
    }
    Ok(used)
}

fn is_absent(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn unreadable(stream: &str, source: BoxError) -> BusError {
    BusError::Topology { what: format!("stream {stream} cannot be read"), source: Some(source) }
}

fn not_stored(subject: &str, source: BoxError) -> BusError {
    BusError::Publish { subject: subject.to_owned(), source }
}
