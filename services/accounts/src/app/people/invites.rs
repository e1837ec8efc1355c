//! A seller's invite code.

use leadflow_accounts_domain::{Invalid, Invite, InviteText, Reason};
use leadflow_kernel::SellerId;
use leadflow_platform::db::TenantTx;
use serde_json::json;

use super::{People, PeopleError};
use crate::{
    app::{
        Actor,
        audit::{self, Change},
        open_seller,
    },
    store::{invites, sellers},
};

impl People {
    /// Whose code this is, and what he is called.
    ///
    /// # Errors
    /// [`PeopleError::InviteUnknown`].
    pub async fn invite(&self, code: &str) -> Result<(SellerId, String), PeopleError> {
        let code = InviteText::parse(code).ok_or(PeopleError::InviteUnknown)?;
        let mut connection = self.pool.acquire().await?;
        invites::find_open(&mut connection, &code, self.clock.now()).await?.ok_or(PeopleError::InviteUnknown)
    }

    /// The tenant's code now, which may have expired; made when there is none.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] without such a seller.
    pub async fn invite_code(&self, seller_id: SellerId) -> Result<Invite, PeopleError> {
        let mut transaction = self.tenants.begin(seller_id).await?;
        if let Some(invite) = invites::current(&mut transaction, seller_id).await? {
            return Ok(invite);
        }
        self.locked_seller(&mut transaction, seller_id).await?;
        // Somebody else may have made it while the lock was waited for.
        if let Some(invite) = invites::current(&mut transaction, seller_id).await? {
            return Ok(invite);
        }
        let invite = self.give_out(&mut transaction, seller_id, 0, None).await?;
        self.commit_tenant(transaction, Vec::new()).await?;
        Ok(invite)
    }

    /// Replaces the tenant's code by a new one that works for `hours`, or for ever (0).
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] without such a seller, [`PeopleError::Invalid`].
    pub async fn rotate_invite_code(
        &self,
        seller_id: SellerId,
        hours: u32,
        actor: Actor,
    ) -> Result<Invite, PeopleError> {
        if hours > Invite::MAX_HOURS {
            return Err(Invalid::new("expires_in_hours", Reason::Range { min: 0, max: Invite::MAX_HOURS }).into());
        }
        let mut transaction = self.tenants.begin(seller_id).await?;
        self.locked_seller(&mut transaction, seller_id).await?;
        invites::end(&mut transaction, seller_id, self.clock.now()).await?;
        let invite = self.give_out(&mut transaction, seller_id, hours, actor).await?;
        self.commit_tenant(transaction, Vec::new()).await?;
        Ok(invite)
    }

    /// Rotations of one seller come one after the other.
    pub(super) async fn locked_seller(&self, tx: &mut TenantTx, seller_id: SellerId) -> Result<(), PeopleError> {
        sellers::find_locked(tx, seller_id).await?.ok_or(PeopleError::NotFound("seller"))?;
        open_seller(tx, seller_id).await?;
        Ok(())
    }

    async fn give_out(
        &self,
        tx: &mut TenantTx,
        seller_id: SellerId,
        hours: u32,
        actor: Actor,
    ) -> Result<Invite, PeopleError> {
        let now = self.clock.now();
        let invite = Invite::new(super::new_invite()?, hours, now);
        if !invites::insert(tx, seller_id, &invite).await? {
            return Err(PeopleError::Internal("an invite code was drawn twice".to_owned()));
        }
        // The code itself lets people in: it does not belong into the record.
        let change =
            Change::new("invite_code.replaced", seller_id).by(actor).to(json!({"expiresAt": invite.expires_at}));
        audit::TRAIL.write(tx, Some(seller_id), now, change).await?;
        Ok(invite)
    }
}
