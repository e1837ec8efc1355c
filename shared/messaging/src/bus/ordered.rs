//! Publishing the newest version of directory records.

use async_nats::{
    HeaderMap,
    jetstream::stream::{LastRawMessageErrorKind, Stream},
};
use futures::future::try_join_all;
use leadflow_contracts::streams;

use super::{Bus, BusError, unpublished};
use crate::{bundle, envelope::Envelope};

/// The server stores a message only if this is the number of its subject's last one.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

impl Bus {
    /// Publishes `events`, each on a subject of its own, as what follows the last message of its
    /// subject in the `DIRECTORY` stream, and returns when all are acknowledged. Call it as the only
    /// one to do so at the time.
    ///
    /// A copy may be held back on its way (the client keeps what it could not send while it was cut off,
    /// and sends it when it is connected again, which may be after the stream has forgotten its id). It then
    /// names a message that is no longer the last, and is refused, instead of coming after a newer version.
    ///
    /// # Errors
    /// [`BusError::Publish`] for the first that was not acknowledged; others may have been stored.
    pub(crate) async fn publish_newest(&self, events: &[Envelope]) -> Result<(), BusError> {
        let Some(first) = events.first() else { return Ok(()) };
        let stream = self.jetstream.get_stream_no_info(streams::DIRECTORY).await;
        let stream = stream.map_err(|error| unpublished(&first.subject, error))?;
        let ready = try_join_all(events.iter().map(async |event| {
            let (mut headers, payload) = bundle::pack(std::slice::from_ref(event), &self.source);
            follow_last(&stream, &event.subject, &mut headers).await?;
            Ok::<_, BusError>((event, headers, payload))
        }));
        let mut acks = Vec::with_capacity(events.len());
        for (event, headers, payload) in ready.await? {
            let subject = &event.subject;
            let sent = self.jetstream.publish_with_headers(subject.clone(), headers, payload).await;
            acks.push((sent.map_err(|error| unpublished(subject, error))?, subject));
        }
        for (ack, subject) in acks {
            ack.await.map_err(|error| unpublished(subject, error))?;
        }
        Ok(())
    }
}

async fn follow_last(stream: &Stream<()>, subject: &str, headers: &mut HeaderMap) -> Result<(), BusError> {
    // Asked of the stream's leader: a copy of the stream may lag.
    let last = match stream.get_last_raw_message_by_subject(subject).await {
        Ok(last) => last.sequence,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => 0,
        Err(error) => return Err(unpublished(subject, error)),
    };
    headers.insert(EXPECTED, last.to_string().as_str());
    Ok(())
}
