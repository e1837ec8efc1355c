//! A new supplier of a tenant.

use leadflow_accounts_domain::{NewSupplier, Supplier};
use leadflow_kernel::SellerId;

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
    content_hash, open_seller,
};
use crate::{outbound::events, store::suppliers};

impl Accounts {
    /// Makes a supplier without keys; the same request again answers the record as it is now.
    ///
    /// # Errors
    /// [`AppError::NotFound`] without such a seller, [`AppError::AlreadyExists`] when the id was used
    /// with other content or by another tenant, [`AppError::Refused`].
    pub async fn create_supplier(
        &self,
        actor: Actor,
        seller_id: SellerId,
        new: NewSupplier,
    ) -> Result<Supplier, AppError> {
        let now = self.clock.now();
        let hash = content_hash(&new.content());
        let supplier = new.into_supplier(seller_id);
        let mut transaction = self.tenants.begin(seller_id).await?;
        open_seller(&mut transaction, seller_id).await?;
        if suppliers::insert(&mut transaction, &supplier, hash, now).await? {
            let change = Change::new("supplier.created", supplier.id).by(actor).to(audit::supplier(&supplier, now));
            self.note(&mut transaction, change, seller_id).await?;
            self.commit(transaction, &events::supplier_changed(&supplier, now)).await?;
            return Ok(supplier);
        }
        suppliers::find_created_with(&mut transaction, seller_id, supplier.id, hash, now)
            .await?
            .ok_or(AppError::AlreadyExists("supplier"))
    }
}
