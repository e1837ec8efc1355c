//! What a buyer bought.

use leadflow_distribution_domain::ask::Page;
use leadflow_kernel::{AssignmentId, BuyerId, SellerId};

use super::{Catalogue, total};
use crate::{
    app::AppError,
    store::catalogue::purchases::{self, PurchaseFilter, PurchaseRow},
};

/// A page of purchases.
#[derive(Debug)]
pub struct PurchasePage {
    /// The newest first.
    pub purchases: Vec<PurchaseRow>,
    /// How many there are, up to a bound.
    pub total: u64,
}

impl Catalogue {
    /// A page of what one buyer of a tenant bought, the newest first.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn list_purchases(
        &self,
        seller: SellerId,
        wanted: &PurchaseFilter,
        page: Page,
    ) -> Result<PurchasePage, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let purchases = purchases::list(&mut tx, seller, wanted, page).await?;
        let total = total(page, purchases.len(), purchases::count(&mut tx, seller, wanted)).await?;
        Ok(PurchasePage { purchases, total })
    }

    /// Remembers that its buyer looked at a purchase; the first time counts.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when this buyer of the tenant has no such purchase.
    pub async fn mark_viewed(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        id: AssignmentId,
    ) -> Result<PurchaseRow, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let viewed = purchases::mark_viewed(&mut tx, seller, buyer, id, self.clock.now()).await?;
        let viewed = viewed.ok_or(AppError::NotFound("assignment"))?;
        tx.commit().await?;
        Ok(viewed)
    }
}
