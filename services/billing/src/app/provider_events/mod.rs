//! Webhooks of the provider of card payments: kept as they come, and worked off later, once each.
//!
//! What a webhook says is only a reason to look: the object is fetched as it is now, and told to whoever books it. So it does not
//! matter in which order they come, how late, or how often.

mod given_up;
mod read;
mod receive;
mod work_off;

use std::sync::Arc;

use tokio::sync::Notify;

pub use given_up::{Detail, GivenUp, GivenUpEvents};
pub use receive::{ReceiveError, Received};
pub use work_off::Worked;

use super::{Billing, cards::Cards, payments::ProviderNews};
use crate::outbound::{provider::PaymentProvider, records::ProviderRecords, stripe::Signatures};

/// Receives webhooks and works them off. Cheap to clone.
#[derive(Clone)]
pub struct ProviderEvents {
    billing: Billing,
    cards: Cards,
    news: Arc<dyn ProviderNews>,
    provider: Arc<dyn PaymentProvider>,
    records: Arc<dyn ProviderRecords>,
    signatures: Signatures,
    came: Arc<Notify>,
}

impl ProviderEvents {
    /// Webhooks signed as `signatures` says; what they are about is fetched from `provider` and `records`, and told to `news` and
    /// `cards`.
    #[must_use]
    pub fn new(
        billing: Billing,
        cards: Cards,
        news: Arc<dyn ProviderNews>,
        provider: Arc<dyn PaymentProvider>,
        records: Arc<dyn ProviderRecords>,
        signatures: Signatures,
    ) -> Self {
        Self { billing, cards, news, provider, records, signatures, came: Arc::default() }
    }

    /// Waits until one comes to this replica.
    pub async fn came(&self) {
        self.came.notified().await;
    }
}
