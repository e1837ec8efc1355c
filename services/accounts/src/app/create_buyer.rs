//! A new buyer of a tenant.

use leadflow_accounts_domain::{Buyer, NewBuyer};
use leadflow_kernel::SellerId;

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
    content_hash, open_seller,
};
use crate::{outbound::events, store::buyers};

impl Accounts {
    /// Makes a buyer; the same request again answers the record as it is now.
    ///
    /// # Errors
    /// [`AppError::NotFound`] without such a seller, [`AppError::AlreadyExists`] when the id was used
    /// with other content or by another tenant, [`AppError::Refused`].
    pub async fn create_buyer(&self, actor: Actor, seller_id: SellerId, new: NewBuyer) -> Result<Buyer, AppError> {
        let hash = content_hash(&new.content());
        let mut transaction = self.tenants.begin(seller_id).await?;
        let seller = open_seller(&mut transaction, seller_id).await?;
        let buyer = new.into_buyer(seller_id, seller.currency)?;
        if buyers::insert(&mut transaction, &buyer, hash, self.clock.now()).await? {
            let change = Change::new("buyer.created", buyer.id).by(actor).to(audit::buyer(&buyer));
            self.note(&mut transaction, change, seller_id).await?;
            self.commit(transaction, &events::buyer_changed(&buyer)).await?;
            return Ok(buyer);
        }
        buyers::find_created_with(&mut transaction, seller_id, buyer.id, hash)
            .await?
            .ok_or(AppError::AlreadyExists("buyer"))
    }
}
