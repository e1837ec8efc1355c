//! A change of a buyer.

use leadflow_accounts_domain::{Buyer, BuyerChange};
use leadflow_kernel::{BuyerId, SellerId};

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
    made_for, open_seller,
};
use crate::{outbound::events, store::buyers};

impl Accounts {
    /// Changes a buyer, if it is of the `expected` version; a change that changes nothing is not counted or told.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::ChangedMeanwhile`], [`AppError::Refused`].
    pub async fn update_buyer(
        &self,
        actor: Actor,
        seller_id: SellerId,
        id: BuyerId,
        change: BuyerChange,
        expected: Option<u64>,
    ) -> Result<Buyer, AppError> {
        let mut transaction = self.tenants.begin(seller_id).await?;
        let seller = open_seller(&mut transaction, seller_id).await?;
        let buyer = buyers::find_locked(&mut transaction, seller_id, id).await?.ok_or(AppError::NotFound("buyer"))?;
        let Some(next) = buyer.changed(change, seller.currency)? else {
            return Ok(buyer);
        };
        made_for(expected, buyer.version)?;
        let noted = Change::new("buyer.updated", id).by(actor).from(audit::buyer(&buyer)).to(audit::buyer(&next));
        self.note(&mut transaction, noted, seller_id).await?;
        buyers::update(&mut transaction, &next, self.clock.now()).await?;
        self.commit(transaction, &events::buyer_changed(&next)).await?;
        Ok(next)
    }
}
