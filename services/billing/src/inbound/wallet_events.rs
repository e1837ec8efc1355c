//! `wallet.low_balance`, billing's own: wallets that may have to be recharged.

use leadflow_contracts::{events::WalletLowBalance, id};
use leadflow_kernel::BuyerId;
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use super::lead_events::failed;
use crate::app::payments::Payments;

/// Notes the wallets of a batch as due.
pub struct WalletEvents {
    payments: Payments,
}

impl WalletEvents {
    /// Notes them with `payments`.
    #[must_use]
    pub const fn new(payments: Payments) -> Self {
        Self { payments }
    }
}

#[async_trait::async_trait]
impl BatchHandler for WalletEvents {
    /// A repeat notes a wallet again, and is decided by what the wallet has then.
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut buyers: Vec<BuyerId> = Vec::with_capacity(batch.len());
        for message in batch {
            let event = message.decode::<WalletLowBalance>().map_err(HandleError::permanent)?;
            buyers.push(id(&event.buyer_id, "buyer_id").map_err(HandleError::permanent)?);
        }
        self.payments.look_at(&buyers).await.map_err(failed)
    }
}
