//! What members of a team may do, and their leaving.

use leadflow_accounts_domain::{Member, TeamRefusal, User};
use leadflow_kernel::{SellerId, SupplierId, UserId};

use super::{People, PeopleError};
use crate::{
    app::{
        Actor,
        audit::{self, Change},
    },
    store::users,
};

impl People {
    /// Gives a member of the team another role; from then on he may do what it allows.
    ///
    /// # Errors
    /// [`PeopleError::Team`]; [`PeopleError::NotFound`] without such a seller.
    pub async fn change_member(
        &self,
        actor: Actor,
        seller_id: SellerId,
        id: UserId,
        member: Member,
    ) -> Result<User, PeopleError> {
        let mut transaction = self.tenants.begin(seller_id).await?;
        // Changes of one team come one after the other: there is an owner after each.
        self.locked_seller(&mut transaction, seller_id).await?;
        let team = users::team(&mut transaction, seller_id).await?;
        let changes = team.change(actor.map(|actor| actor.user), id, Some(member))?;
        let before = super::existing(&mut transaction, id).await?;
        if !changes {
            return Ok(before);
        }
        let now = self.clock.now();
        users::set_member(&mut transaction, id, member, now).await?;
        let after = super::existing(&mut transaction, id).await?;
        let change = Change::new("user.role_changed", id).by(actor).from(audit::user(&before)).to(audit::user(&after));
        audit::TRAIL.write(&mut transaction, Some(seller_id), now, change).await?;
        self.commit_tenant(transaction, Vec::new()).await?;
        Ok(after)
    }

    /// Forgets a member of the team, or a user of this supplier: his sessions end at once.
    ///
    /// # Errors
    /// [`PeopleError::Team`]; [`PeopleError::NotFound`].
    pub async fn remove_user(
        &self,
        actor: Actor,
        seller_id: SellerId,
        id: UserId,
        supplier: Option<SupplierId>,
    ) -> Result<(), PeopleError> {
        let mut transaction = self.tenants.begin(seller_id).await?;
        self.locked_seller(&mut transaction, seller_id).await?;
        if supplier.is_none() {
            let team = users::team(&mut transaction, seller_id).await?;
            team.change(actor.map(|actor| actor.user), id, None)?;
        }
        // Whoever signs in holds this lock too: no session is left behind.
        let user = users::find_locked(&mut transaction, id).await?.map(|known| known.user);
        let user =
            user.filter(|user| user.place.seller_id() == Some(seller_id) && user.place.supplier_id() == supplier);
        let Some(user) = user else {
            return Err(match supplier {
                Some(_) => PeopleError::NotFound("user"),
                None => TeamRefusal::NoSuchMember.into(),
            });
        };
        users::remove(&mut transaction, id).await?;
        let change = Change::new("user.removed", id).by(actor).from(audit::user(&user));
        audit::TRAIL.write(&mut transaction, Some(seller_id), self.clock.now(), change).await?;
        self.commit_tenant(transaction, Vec::new()).await
    }
}
