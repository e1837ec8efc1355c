//! `seller.changed` and `buyer.changed`: what is known of them.

use leadflow_contracts::{
    Event,
    events::{BuyerChanged, SellerChanged},
    id,
};
use leadflow_distribution_domain::time_zone;
use leadflow_kernel::Currency;
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use super::convert::{failed, status_from_proto};
use crate::{
    app::App,
    store::projections::{Buyer, Seller},
};

/// What accounts lets a seller choose at most.
const MAX_RETENTION_DAYS: u32 = 3_650;

/// Keeps the projections of sellers and buyers.
pub struct DirectoryEvents {
    app: App,
}

impl DirectoryEvents {
    /// With `app`.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl BatchHandler for DirectoryEvents {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let (mut sellers, mut buyers) = (Vec::new(), Vec::new());
        for message in batch {
            match message.kind.as_str() {
                SellerChanged::TYPE => sellers.push(seller(&message.decode().map_err(HandleError::permanent)?)?),
                BuyerChanged::TYPE => buyers.push(buyer(&message.decode().map_err(HandleError::permanent)?)?),
                other => return Err(HandleError::permanent(format!("unknown kind {other:?}"))),
            }
        }
        self.app.project_directory(sellers, buyers).await.map_err(failed)
    }
}

fn seller(event: &SellerChanged) -> Result<Seller, HandleError> {
    if time_zone(&event.time_zone).is_none() {
        return Err(HandleError::permanent("time_zone: unknown"));
    }
    Ok(Seller {
        id: id(&event.seller_id, "seller_id").map_err(HandleError::permanent)?,
        version: event.version,
        company_name: event.company_name.clone(),
        status: status_from_proto(event.status()).ok_or_else(|| HandleError::permanent("status: missing"))?,
        time_zone: event.time_zone.clone(),
        currency: Currency::parse(&event.currency).map_err(HandleError::permanent)?,
        // More than the contract allows is kept as the most.
        retention_days: event.retention_days.min(MAX_RETENTION_DAYS),
    })
}

fn buyer(event: &BuyerChanged) -> Result<Buyer, HandleError> {
    Ok(Buyer {
        id: id(&event.buyer_id, "buyer_id").map_err(HandleError::permanent)?,
        seller: id(&event.seller_id, "seller_id").map_err(HandleError::permanent)?,
        version: event.version,
        company_name: event.company_name.clone(),
        status: status_from_proto(event.status()).ok_or_else(|| HandleError::permanent("status: missing"))?,
        priority: u8::try_from(event.priority.clamp(1, 10)).unwrap_or(1),
    })
}
