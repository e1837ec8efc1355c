//! Putting a lead on its stream.

use std::time::Duration;

use async_trait::async_trait;
use leadflow_messaging::{Bus, Envelope, GroupCommitPublisher, PublishError as GroupError};

/// Why a lead is not known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no connection now: it was not sent.
    #[error("not connected to NATS")]
    Disconnected,
    /// Too many leads are waiting for the stream: it was not sent.
    #[error("too many leads are waiting for the stream")]
    Overloaded,
    /// Sent, not acknowledged. It may have been stored all the same.
    #[error("not acknowledged")]
    NotAcknowledged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Sent, not acknowledged in time. It may have been stored all the same.
    #[error("not acknowledged within {0:?}")]
    TimedOut(Duration),
}

impl PublishError {
    /// Whether the lead may have been stored all the same.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        matches!(self, Self::NotAcknowledged(_) | Self::TimedOut(_))
    }
}

/// Publishes leads; `Ok` means that the stream has it as safely as it is set up to.
#[async_trait]
pub trait LeadPublisher: Send + Sync + 'static {
    /// Publishes one `LeadReceived`, which must be acknowledged `within` this time.
    ///
    /// # Errors
    /// [`PublishError`].
    async fn publish(&self, event: Envelope, within: Duration) -> Result<(), PublishError>;
}

/// One message, one acknowledgement.
#[async_trait]
impl LeadPublisher for Bus {
    async fn publish(&self, event: Envelope, within: Duration) -> Result<(), PublishError> {
        // The client would keep it for a reconnect that may come long after the caller was told no.
        if !self.is_connected() {
            return Err(PublishError::Disconnected);
        }
        let published = tokio::time::timeout(within, Bus::publish(self, &[event])).await;
        let acknowledged = published.map_err(|_| PublishError::TimedOut(within))?;
        acknowledged.map_err(|error| PublishError::NotAcknowledged(Box::new(error)))
    }
}

/// Leads posted at the same time share one message, one sync to disk and one acknowledgement.
#[async_trait]
impl LeadPublisher for GroupCommitPublisher {
    async fn publish(&self, event: Envelope, within: Duration) -> Result<(), PublishError> {
        self.publish_within(event, within).await.map_err(|error| match error {
            GroupError::Disconnected => PublishError::Disconnected,
            GroupError::Overloaded => PublishError::Overloaded,
            GroupError::Timeout(after) => PublishError::TimedOut(after),
            error @ GroupError::NotAcknowledged(_) => PublishError::NotAcknowledged(Box::new(error)),
        })
    }
}
