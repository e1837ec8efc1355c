//! Deletes one of a buyer's webhooks.

use leadflow_kernel::{BuyerId, EndpointId, SellerId};

use super::{
    Actor, AppError, Notifier,
    audit::{self, TRAIL},
};
use crate::store::{deliveries, endpoints};

impl Notifier {
    /// Nothing is sent to it from now on, and what waits for it ends: workers see to that. A second call changes nothing.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::ChangedMeanwhile`] when it is of another version than expected.
    pub async fn delete_endpoint(
        &self,
        actor: Actor,
        seller: SellerId,
        buyer: BuyerId,
        id: EndpointId,
        expected: Option<u64>,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut tx = self.tenants.begin(seller).await?;
        let endpoint = endpoints::lock(&mut tx, seller, buyer, id).await?.ok_or(AppError::NotFound("endpoint"))?;
        if endpoint.deleted {
            return Ok(());
        }
        if expected.is_some_and(|expected| expected != endpoint.version) {
            return Err(AppError::ChangedMeanwhile);
        }
        endpoints::delete(&mut tx, &endpoint, now).await?;
        deliveries::make_due(&mut tx, &[id], now).await?;
        TRAIL.write(&mut tx, Some(seller), now, audit::deleted(actor, &endpoint)).await?;
        tx.commit().await?;
        Ok(())
    }
}
