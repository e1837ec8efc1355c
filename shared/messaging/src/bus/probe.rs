//! Whether the streams still take messages. After a full disk nats-server refuses every write of a
//! stream until it is started again, although its connection, streams and consumers all look well.

use async_nats::jetstream::context::PublishError;
use bytes::Bytes;
use leadflow_contracts::streams;

use super::Bus;

/// A subject of each stream that nobody listens to.
const SUBJECTS: [(&str, &str); 5] = [
    (streams::LEADS, "lead.probe"),
    (streams::BILLING, "wallet.probe"),
    (streams::NOTIFY, "notification.probe"),
    (streams::DIRECTORY, "seller.probe"),
    (streams::DLQ, "dlq.probe"),
];

impl Bus {
    /// The streams that do not store what they are sent, each with the reason; empty when all is
    /// well. Leaves nothing behind.
    pub async fn refusing_streams(&self) -> Vec<(&'static str, String)> {
        let mut refusing = Vec::new();
        for (stream, subject) in SUBJECTS {
            match self.store_probe(subject).await {
                // A stream that failed to write acknowledges with number 0 what it would not have kept anyway.
                Ok(0) => refusing.push((stream, "it stopped writing after an error".to_owned())),
                Ok(number) => self.remove_probe(stream, number).await,
                Err(error) => refusing.push((stream, error.to_string())),
            }
        }
        refusing
    }

    async fn store_probe(&self, subject: &'static str) -> Result<u64, PublishError> {
        let ack = self.jetstream.publish(subject, Bytes::from_static(b"probe")).await?.await?;
        Ok(ack.sequence)
    }

    async fn remove_probe(&self, stream: &str, number: u64) {
        let Ok(handle) = self.jetstream.get_stream_no_info(stream).await else { return };
        // A stream that keeps only what somebody wants has not kept it.
        if let Err(error) = handle.delete_message(number).await {
            tracing::debug!(stream, number, %error, "no probe to remove");
        }
    }
}
