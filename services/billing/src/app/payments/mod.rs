//! Card payments: what is asked of the provider, and how its news is booked.

mod news;

pub use news::{DisputeNews, DisputeState, Heard, ProviderNews, RefundNews};

use leadflow_kernel::CardId;

/// A card that can be charged, as `store::cards` knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Ours.
    pub id: CardId,
    /// `cus_…`: whose it is on the provider's side.
    pub customer: String,
    /// `pm_…`
    pub payment_method: String,
}
