//! A new tenant.

use leadflow_accounts_domain::{NewSeller, Seller};

use super::{Accounts, AppError, content_hash};
use crate::{outbound::events, store::sellers};

impl Accounts {
    /// Makes a seller; the same request again answers the record as it is now.
    ///
    /// # Errors
    /// [`AppError::AlreadyExists`] when the id was used with other content.
    pub async fn create_seller(&self, new: NewSeller) -> Result<Seller, AppError> {
        let hash = content_hash(&new.content());
        let seller = new.into_seller();
        let mut transaction = self.pool.begin().await?;
        if sellers::insert(&mut transaction, &seller, hash, self.clock.now()).await? {
            self.commit(transaction, &events::seller_changed(&seller)).await?;
            return Ok(seller);
        }
        sellers::find_created_with(&mut transaction, seller.id, hash).await?.ok_or(AppError::AlreadyExists("seller"))
    }
}
