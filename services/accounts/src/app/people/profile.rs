//! What users are called, and who they are.

use leadflow_accounts_domain::{Name, Phone, User};
use leadflow_kernel::{BuyerId, SellerId, SupplierId, UserId};

use super::{People, PeopleError, contacts};
use crate::{
    app::audit::{self, Change},
    store::users,
};

/// The most users that one question is answered with.
const AT_MOST: u32 = 1_000;

impl People {
    /// Changes a user's name or number; `None` leaves them, `Some(None)` takes the number away. With `check_only` it
    /// only says what he would be like.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`].
    pub async fn update_profile(
        &self,
        id: UserId,
        name: Option<Name>,
        phone: Option<Option<Phone>>,
        check_only: bool,
    ) -> Result<User, PeopleError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let before = users::find_locked(&mut transaction, id).await?.ok_or(PeopleError::NotFound("user"))?.user;
        let mut after = before.clone();
        after.name = name.unwrap_or(after.name);
        after.phone = phone.unwrap_or(after.phone);
        if after == before || check_only {
            return Ok(after);
        }
        users::update(&mut transaction, &after, now).await?;
        let change =
            Change::new("user.updated", id).by(audit::actor(&after)).from(audit::user(&before)).to(audit::user(&after));
        audit::TRAIL.write(&mut transaction, after.place.seller_id(), now, change).await?;
        let contact = contacts::changed(&mut transaction, &after, now).await?;
        self.commit(transaction, contact.into_iter().collect()).await?;
        Ok(after)
    }

    /// The tenant's users who belong to these buyers or suppliers, or to its own team.
    ///
    /// # Errors
    /// [`PeopleError::Database`].
    pub async fn users(
        &self,
        seller_id: SellerId,
        buyers: &[BuyerId],
        suppliers: &[SupplierId],
        team: bool,
    ) -> Result<Vec<User>, PeopleError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        Ok(users::of_tenant(&mut tx, seller_id, buyers, suppliers, team, AT_MOST).await?)
    }
}
