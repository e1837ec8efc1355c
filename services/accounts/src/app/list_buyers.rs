//! A tenant's buyers.

use leadflow_accounts_domain::Buyer;
use leadflow_kernel::{BuyerId, SellerId};

use super::{Accounts, AppError};
use crate::store::buyers;

impl Accounts {
    /// Up to `limit` buyers after the one with id `after`, in the order of ids.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn list_buyers(
        &self,
        seller_id: SellerId,
        after: Option<BuyerId>,
        limit: u32,
    ) -> Result<Vec<Buyer>, AppError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        Ok(buyers::page(&mut tx, seller_id, after, limit).await?)
    }
}
