//! A buyer's endpoints, with their secrets: for their owner.

use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier_domain::{Credentials, Secret};

use super::{AppError, Notifier};
use crate::{model::Endpoint, store::endpoints};

/// An endpoint and its secret in clear.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its secret.
    pub secret: Secret,
    /// Its headers and credentials, without their values.
    pub credentials: Credentials,
}

impl Notifier {
    /// Finds one of a buyer's endpoints, or his first.
    ///
    /// # Errors
    /// [`AppError::NotFound`], or what the database or the keys say.
    pub async fn get_endpoint(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        id: Option<EndpointId>,
    ) -> Result<EndpointView, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = endpoints::of_buyer(&mut tx, seller, buyer, id).await?;
        self.view(found.ok_or(AppError::NotFound("endpoint"))?)
    }

    /// All of a buyer's endpoints, in the order they were made.
    ///
    /// # Errors
    /// What the database or the keys say.
    pub async fn list_endpoints(&self, seller: SellerId, buyer: BuyerId) -> Result<Vec<EndpointView>, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = endpoints::all_of_buyer(&mut tx, seller, buyer).await?;
        found.into_iter().map(|endpoint| self.view(endpoint)).collect()
    }

    pub(super) fn view(&self, endpoint: Endpoint) -> Result<EndpointView, AppError> {
        let secret = self.keys.open(endpoint.id, &endpoint.secret)?;
        let credentials = self.keys.open_credentials(endpoint.id, endpoint.credentials.as_ref())?.hidden();
        Ok(EndpointView { endpoint, secret, credentials })
    }
}
