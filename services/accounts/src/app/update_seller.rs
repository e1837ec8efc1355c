//! A change of a tenant.

use leadflow_accounts_domain::{Seller, SellerChange, Status};
use leadflow_kernel::SellerId;

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
};
use crate::{
    outbound::events,
    store::{sellers, sessions},
};

impl Accounts {
    /// Changes a seller; a change that changes nothing is not counted or told. One that is put out of use has no
    /// session left.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::Refused`].
    pub async fn update_seller(&self, actor: Actor, id: SellerId, change: SellerChange) -> Result<Seller, AppError> {
        let mut transaction = self.tenants.begin(id).await?;
        let seller = sellers::find_locked(&mut transaction, id).await?.ok_or(AppError::NotFound("seller"))?;
        let Some(next) = seller.changed(change)? else {
            return Ok(seller);
        };
        let noted = Change::new("seller.updated", id).by(actor).from(audit::seller(&seller)).to(audit::seller(&next));
        self.note(&mut transaction, noted, id).await?;
        sellers::update(&mut transaction, &next, self.clock.now()).await?;
        if seller.status == Status::Active && next.status != Status::Active {
            // Nobody of the tenant may come in until it is back; and then he signs in anew.
            sessions::end_of_tenant(&mut transaction, id).await?;
        }
        self.commit(transaction, &events::seller_changed(&next)).await?;
        Ok(next)
    }
}
