//! The end of a key.

use leadflow_accounts_domain::Supplier;
use leadflow_kernel::{ApiKeyId, SellerId, SupplierId};

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
};
use crate::{
    outbound::events,
    store::{api_keys, suppliers},
};

impl Accounts {
    /// Takes a key back; gateways refuse it as soon as they have heard. Works for archived suppliers
    /// and sellers too. A repeat changes nothing.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Refused`] for an unknown key.
    pub async fn revoke_api_key(
        &self,
        actor: Actor,
        seller_id: SellerId,
        supplier_id: SupplierId,
        key_id: ApiKeyId,
    ) -> Result<Supplier, AppError> {
        let now = self.clock.now();
        let mut transaction = self.tenants.begin(seller_id).await?;
        let supplier = suppliers::find_locked(&mut transaction, seller_id, supplier_id, now)
            .await?
            .ok_or(AppError::NotFound("supplier"))?;
        let Some(next) = supplier.without_key(key_id, now)? else {
            return Ok(supplier);
        };
        api_keys::update(&mut transaction, seller_id, &next.keys).await?;
        let noted = Change::new("api_key.revoked", key_id)
            .by(actor)
            .from(audit::supplier(&supplier, now))
            .to(audit::supplier(&next, now));
        self.note(&mut transaction, noted, seller_id).await?;
        suppliers::update(&mut transaction, &next, now).await?;
        self.commit(transaction, &events::supplier_changed(&next, now)).await?;
        Ok(next)
    }
}
