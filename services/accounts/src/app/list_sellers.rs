//! Every tenant, for those who run the platform.

use leadflow_accounts_domain::Status;
use leadflow_kernel::SellerId;

use super::{Accounts, AppError};
use crate::store::tenants::{self, SellerRow};

impl Accounts {
    /// Up to `limit` sellers, the newest first, that were made before `after`, have one of `statuses` (none: any) and
    /// in whose name, or in a team member's address, `search` is found.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn list_sellers(
        &self,
        after: Option<SellerId>,
        limit: u32,
        search: &str,
        statuses: &[Status],
    ) -> Result<Vec<SellerRow>, AppError> {
        let mut connection = self.pool.acquire().await?;
        Ok(tenants::page(&mut connection, after, limit, search, statuses).await?)
    }

    /// A seller with what is counted of it.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn seller(&self, id: SellerId) -> Result<SellerRow, AppError> {
        let mut connection = self.pool.acquire().await?;
        tenants::find(&mut connection, id).await?.ok_or(AppError::NotFound("seller"))
    }
}
