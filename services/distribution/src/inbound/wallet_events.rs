//! `wallet.credited`, `wallet.released` and `wallet.limits_changed`: leads may sell that did not before.

use leadflow_contracts::{
    Event,
    events::{WalletCredited, WalletLimitsChanged, WalletReleased},
    id,
};
use leadflow_kernel::BuyerId;
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use super::convert::failed;
use crate::app::App;

/// Looks again at leads that wait for these buyers.
pub struct WalletEvents {
    app: App,
}

impl WalletEvents {
    /// With `app`.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl BatchHandler for WalletEvents {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let buyers = batch.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        self.app.wallets_changed(&buyers).await.map_err(failed)
    }
}

fn read(message: &Message) -> Result<BuyerId, HandleError> {
    let buyer_id = match message.kind.as_str() {
        WalletCredited::TYPE => message.decode::<WalletCredited>().map_err(HandleError::permanent)?.buyer_id,
        WalletReleased::TYPE => message.decode::<WalletReleased>().map_err(HandleError::permanent)?.buyer_id,
        WalletLimitsChanged::TYPE => message.decode::<WalletLimitsChanged>().map_err(HandleError::permanent)?.buyer_id,
        other => return Err(HandleError::permanent(format!("unknown kind {other:?}"))),
    };
    id(&buyer_id, "buyer_id").map_err(HandleError::permanent)
}
