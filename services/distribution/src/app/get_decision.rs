//! What became of a lead, for its supplier.

use leadflow_contracts::common::Decision;
use leadflow_kernel::{LeadId, SellerId, SupplierId};

use super::{App, AppError, outcome};
use crate::store::leads;

impl App {
    /// The decision on a supplier's lead; a conflict when `body_hash` is given and differs.
    ///
    /// # Errors
    /// [`AppError::NotFound`] while it is not decided, or when it is somebody else's.
    pub async fn get_decision(
        &self,
        seller: SellerId,
        supplier: SupplierId,
        lead: LeadId,
        body_hash: &[u8],
    ) -> Result<Decision, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let verdict = leads::known_of(&mut tx, seller, lead)
            .await?
            .filter(|verdict| verdict.supplier == supplier)
            .ok_or(AppError::NotFound("lead"))?;
        if !body_hash.is_empty() && !verdict.is_of(body_hash) {
            return Ok(outcome::conflict(lead));
        }
        Ok(outcome::decision(&verdict))
    }
}
