//! A new tenant.

use leadflow_accounts_domain::{NewSeller, Seller};

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
    content_hash,
};
use crate::{outbound::events, store::sellers};

impl Accounts {
    /// Makes a seller; the same request again answers the record as it is now.
    ///
    /// # Errors
    /// [`AppError::AlreadyExists`] when the id was used with other content.
    pub async fn create_seller(&self, actor: Actor, new: NewSeller) -> Result<Seller, AppError> {
        let hash = content_hash(&new.content());
        let seller = new.into_seller();
        let mut transaction = self.tenants.begin(seller.id).await?;
        if sellers::insert(&mut transaction, &seller, hash, self.clock.now()).await? {
            let change = Change::new("seller.created", seller.id).by(actor).to(audit::seller(&seller));
            self.note(&mut transaction, change, seller.id).await?;
            self.commit(transaction, &events::seller_changed(&seller)).await?;
            return Ok(seller);
        }
        sellers::find_created_with(&mut transaction, seller.id, hash).await?.ok_or(AppError::AlreadyExists("seller"))
    }
}
