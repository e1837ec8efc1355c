//! A change of a supplier.

use leadflow_accounts_domain::{Supplier, SupplierChange};
use leadflow_kernel::{SellerId, SupplierId};

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
    made_for, open_seller,
};
use crate::{outbound::events, store::suppliers};

impl Accounts {
    /// Changes a supplier, if it is of the `expected` version; a change that changes nothing is not counted or told.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::ChangedMeanwhile`], [`AppError::Refused`].
    pub async fn update_supplier(
        &self,
        actor: Actor,
        seller_id: SellerId,
        id: SupplierId,
        change: SupplierChange,
        expected: Option<u64>,
    ) -> Result<Supplier, AppError> {
        let now = self.clock.now();
        let mut transaction = self.tenants.begin(seller_id).await?;
        open_seller(&mut transaction, seller_id).await?;
        let supplier = suppliers::find_locked(&mut transaction, seller_id, id, now)
            .await?
            .ok_or(AppError::NotFound("supplier"))?;
        let Some(next) = supplier.changed(change)? else {
            return Ok(supplier);
        };
        made_for(expected, supplier.version)?;
        let noted = Change::new("supplier.updated", id)
            .by(actor)
            .from(audit::supplier(&supplier, now))
            .to(audit::supplier(&next, now));
        self.note(&mut transaction, noted, seller_id).await?;
        suppliers::update(&mut transaction, &next, now).await?;
        self.commit(transaction, &events::supplier_changed(&next, now)).await?;
        Ok(next)
    }
}
