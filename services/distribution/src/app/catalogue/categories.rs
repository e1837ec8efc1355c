//! Categories.

use leadflow_kernel::{CategoryId, SellerId};

use super::Catalogue;
use crate::{
    app::AppError,
    store::{catalogue::campaigns, records::Category},
};

impl Catalogue {
    /// A tenant's category.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such category.
    pub async fn get_category(&self, seller: SellerId, id: CategoryId) -> Result<Category, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        campaigns::get_category(&mut tx, seller, id).await?.ok_or(AppError::NotFound("category"))
    }

    /// A tenant's categories by name, from the one that comes after `after`.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no category `after`.
    pub async fn list_categories(
        &self,
        seller: SellerId,
        with_archived: bool,
        after: Option<CategoryId>,
        limit: u32,
    ) -> Result<Vec<Category>, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = campaigns::categories(&mut tx, seller, with_archived, after, limit).await?;
        if let Some(after) = after.filter(|_| found.is_empty()) {
            campaigns::get_category(&mut tx, seller, after).await?.ok_or(AppError::NotFound("category"))?;
        }
        Ok(found)
    }
}
