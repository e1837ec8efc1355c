//! Sales that buyers asked to undo.

use leadflow_distribution_domain::ask::Page;
use leadflow_kernel::{BuyerId, ReturnId, SellerId};

use super::{Catalogue, total};
use crate::{
    app::AppError,
    store::returns::{self, ReturnFilter, ReturnRow},
};

/// A page of returns.
#[derive(Debug)]
pub struct ReturnPage {
    /// Those asked for last come first.
    pub returns: Vec<ReturnRow>,
    /// How many there are, up to a bound.
    pub total: u64,
}

impl Catalogue {
    /// A page of a tenant's returns.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn list_returns(
        &self,
        seller: SellerId,
        wanted: &ReturnFilter,
        page: Page,
    ) -> Result<ReturnPage, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let returns = returns::list(&mut tx, seller, wanted, page).await?;
        let total = total(page, returns.len(), returns::count(&mut tx, seller, wanted)).await?;
        Ok(ReturnPage { returns, total })
    }

    /// A tenant's return, of any of its buyers or of this one.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is none.
    pub async fn get_return(
        &self,
        seller: SellerId,
        buyer: Option<BuyerId>,
        id: ReturnId,
    ) -> Result<ReturnRow, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        returns::get(&mut tx, seller, buyer, id).await?.ok_or(AppError::NotFound("return"))
    }
}
