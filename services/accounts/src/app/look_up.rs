//! Single records, and a tenant's suppliers.

use leadflow_accounts_domain::{Buyer, Supplier};
use leadflow_kernel::{BuyerId, SellerId, SupplierId};

use super::{Accounts, AppError};
use crate::store::{buyers, suppliers};

impl Accounts {
    /// The tenant's buyer.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn buyer(&self, seller_id: SellerId, id: BuyerId) -> Result<Buyer, AppError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        buyers::find(&mut tx, seller_id, id).await?.ok_or(AppError::NotFound("buyer"))
    }

    /// The tenant's supplier with its keys.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn supplier(&self, seller_id: SellerId, id: SupplierId) -> Result<Supplier, AppError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        let found = suppliers::find(&mut tx, seller_id, id, self.clock.now()).await?;
        found.ok_or(AppError::NotFound("supplier"))
    }

    /// Up to `limit` suppliers with their keys after the one with id `after`, in the order of ids.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn list_suppliers(
        &self,
        seller_id: SellerId,
        after: Option<SupplierId>,
        limit: u32,
    ) -> Result<Vec<Supplier>, AppError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        Ok(suppliers::page(&mut tx, seller_id, after, limit, self.clock.now()).await?)
    }
}
