//! Taking a webhook: its signature is checked, it is kept, and that is all.

use super::{ProviderEvents, read::Event};
use crate::{
    outbound::stripe::WebhookRefusal,
    store::provider_events::{self, NewEvent},
};

/// A webhook that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// It had not come before.
    pub new: bool,
}

/// Why a webhook was not kept.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] WebhookRefusal),
    /// It is signed, and still no event.
    #[error("the body is no event")]
    NoEvent,
    /// PostgreSQL: the provider sends it again.
    #[error("database")]
    Database(#[from] sqlx::Error),
}

impl ProviderEvents {
    /// Keeps a webhook, as it came: its body, and the header that signs it.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub async fn receive(&self, body: &[u8], signature: &str) -> Result<Received, ReceiveError> {
        let now = self.billing.clock.now();
        let body = self.signatures.check(body, signature, now)?;
        let event = Event::read(body).ok_or(ReceiveError::NoEvent)?;
        let new = NewEvent { id: event.id, kind: event.kind, created: event.created, body: body.to_owned() };
        let mut connection = self.billing.pool.acquire().await?;
        let new = provider_events::keep(&mut connection, &new, now).await?;
        self.came.notify_one();
        Ok(Received { new })
    }
}
