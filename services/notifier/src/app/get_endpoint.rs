//! A buyer's endpoint, with its secret: for its owner.

use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier_domain::Secret;

use super::{AppError, Notifier};
use crate::{model::Endpoint, store::endpoints};

/// An endpoint and its secret in clear.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its secret.
    pub secret: Secret,
}

impl Notifier {
    /// Finds a buyer's endpoint.
    ///
    /// # Errors
    /// [`AppError::NotFound`], or what the database or the keys say.
    pub async fn get_endpoint(&self, seller: SellerId, buyer: BuyerId) -> Result<EndpointView, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let endpoint = endpoints::of_buyer(&mut tx, seller, buyer).await?.ok_or(AppError::NotFound("endpoint"))?;
        let secret = self.keys.open(endpoint.id, &endpoint.secret)?;
        Ok(EndpointView { endpoint, secret })
    }
}
