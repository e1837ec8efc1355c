//! Asking somebody to sign in for a seller or one of its suppliers.

use leadflow_accounts_domain::{Email, Invitation, Invited, Name, NewUser, Password, Phone, Status, User};
use leadflow_kernel::{EventId, InvitationId, SellerId, SupplierId, UserId};
use leadflow_messaging::Envelope;
use leadflow_platform::db::TenantTx;

use super::{People, PeopleError, fingerprint};
use crate::{
    app::{
        Actor,
        audit::{self, Change},
        content_hash, open_seller,
    },
    store::{invitations, suppliers, users},
};

/// Somebody who follows the link that was mailed to him.
#[derive(Debug, Clone)]
pub struct AcceptInvitation {
    /// Made by the caller.
    pub user_id: UserId,
    /// From the link.
    pub token: String,
    /// Not checked yet.
    pub password: Password,
    /// What he is called.
    pub name: Name,
    /// Where he is called.
    pub phone: Option<Phone>,
}

impl People {
    /// Mails somebody a link by which he becomes one of the team or a supplier's user. The same request again sends
    /// nothing; another one to the same address replaces the link.
    ///
    /// # Errors
    /// [`PeopleError::Team`] when the actor may not; [`PeopleError::EmailInUse`]; [`PeopleError::NotFound`] for another
    /// tenant's supplier; [`PeopleError::NotInUse`]; [`PeopleError::AlreadyExists`] for an id in use;
    /// [`PeopleError::Throttled`]; [`PeopleError::TooManyInvitations`].
    pub async fn invite_user(
        &self,
        actor: Actor,
        seller_id: SellerId,
        id: InvitationId,
        email: Email,
        invited: Invited,
    ) -> Result<Invitation, PeopleError> {
        let now = self.clock.now();
        let invited_by = actor.map(|actor| actor.user);
        let expires_at = now + invited.mail().life();
        let wanted = Invitation { id, seller_id, email, invited, invited_by, created_at: now, expires_at };
        self.invitation_wanted(seller_id, &wanted.email).await?;
        // An address is one user in the whole platform, so it is asked of all tenants.
        let in_use = users::find_by_email(&mut *self.pool.acquire().await?, &wanted.email).await?.is_some();
        let mut transaction = self.tenants.begin(seller_id).await?;
        // One after the other, so that the bound holds and a demoted owner invites nobody.
        self.locked_seller(&mut transaction, seller_id).await?;
        self.may_invite(&mut transaction, actor, &wanted).await?;
        if let Some(known) = invitations::find(&mut transaction, seller_id, id).await? {
            return if known.is_same(&wanted) { Ok(known) } else { Err(PeopleError::AlreadyExists("invitation")) };
        }
        if in_use {
            return Err(PeopleError::EmailInUse);
        }
        let open = invitations::open(&mut transaction, seller_id, now).await?;
        let others = open.iter().filter(|one| one.email.key() != wanted.email.key()).count();
        if others >= Invitation::AT_MOST as usize {
            return Err(PeopleError::TooManyInvitations { max: Invitation::AT_MOST });
        }
        let token = super::new_token()?;
        if !invitations::put(&mut transaction, &wanted, fingerprint(token.reveal())).await? {
            return Err(PeopleError::AlreadyExists("invitation"));
        }
        let seller = open_seller(&mut transaction, seller_id).await?;
        let mail = self
            .sealer
            .invitation(&wanted, seller.company_name.as_str(), &token)
            .map_err(|error| PeopleError::Internal(error.to_string()))?;
        let change = Change::new("user.invited", id).by(actor).to(audit::invitation(&wanted));
        audit::TRAIL.write(&mut transaction, Some(seller_id), now, change).await?;
        self.commit_tenant(transaction, vec![Envelope::new(EventId::new(), &mail, now)]).await?;
        Ok(wanted)
    }

    /// The tenant's open invitations, to its team or to be users of this supplier.
    ///
    /// # Errors
    /// [`PeopleError::Database`].
    pub async fn invitations(
        &self,
        seller_id: SellerId,
        supplier: Option<SupplierId>,
    ) -> Result<Vec<Invitation>, PeopleError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        let open = invitations::open(&mut tx, seller_id, self.clock.now()).await?;
        Ok(open.into_iter().filter(|one| one.invited.supplier_id() == supplier).collect())
    }

    /// Takes an invitation back: its link does not work any more.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`]; [`PeopleError::Team`] when the actor may not.
    pub async fn revoke_invitation(
        &self,
        actor: Actor,
        seller_id: SellerId,
        id: InvitationId,
        supplier: Option<SupplierId>,
    ) -> Result<(), PeopleError> {
        let mut transaction = self.tenants.begin(seller_id).await?;
        self.locked_seller(&mut transaction, seller_id).await?;
        let known = invitations::find(&mut transaction, seller_id, id).await?;
        let known = known.filter(|known| known.invited.supplier_id() == supplier);
        let known = known.ok_or(PeopleError::NotFound("invitation"))?;
        if supplier.is_none() {
            users::team(&mut transaction, seller_id).await?.may_change(actor.map(|actor| actor.user))?;
        }
        if !invitations::delete(&mut transaction, id).await? {
            return Err(PeopleError::NotFound("invitation"));
        }
        let change = Change::new("user.invitation_revoked", id).by(actor).from(audit::invitation(&known));
        audit::TRAIL.write(&mut transaction, Some(seller_id), self.clock.now(), change).await?;
        self.commit_tenant(transaction, Vec::new()).await
    }

    /// Makes the user who was invited. His address is verified: he has read what was sent to it. The same request
    /// again answers him as he is now.
    ///
    /// # Errors
    /// [`PeopleError::TokenUnknown`]; [`PeopleError::Invalid`], after which the link still works;
    /// [`PeopleError::EmailInUse`] when he has registered meanwhile; [`PeopleError::AlreadyExists`] for an id in use.
    pub async fn accept_invitation(&self, request: AcceptInvitation) -> Result<User, PeopleError> {
        let AcceptInvitation { user_id, token, password, name, phone } = request;
        let shown = fingerprint(&token);
        // Where he belongs is known by the token alone, which is gone when the same is asked again.
        let phone_text = phone.as_ref().map_or_else(String::new, |phone| phone.as_str().to_owned());
        let created_with = content_hash(&[token, name.as_str().to_owned(), phone_text]);
        let mut connection = self.pool.acquire().await?;
        let known = invitations::find_by_token(&mut connection, shown, self.clock.now()).await?;
        drop(connection);
        let Some(invitation) = known else {
            let before = self.registered_before(user_id, created_with, Some(password)).await?;
            return before.ok_or(PeopleError::TokenUnknown);
        };
        let email = invitation.email.clone();
        let hash = self.chosen("password", password.clone(), &[email.as_str(), email.local(), name.as_str()]).await?;

        let now = self.clock.now();
        let place = invitation.invited.place(invitation.seller_id);
        let new = NewUser { id: user_id, email, name, phone, place };
        let mut transaction = self.tenants.begin(invitation.seller_id).await?;
        // The seller first, as everybody who changes a team.
        open_seller(&mut transaction, invitation.seller_id).await?;
        let taken = invitations::take(&mut transaction, shown, now).await?;
        if taken && users::insert(&mut transaction, &new, Some(&hash), true, created_with, now).await? {
            let user = super::existing(&mut transaction, user_id).await?;
            let change = Change::new("user.joined", user_id)
                .by(audit::actor(&user))
                .from(audit::invitation(&invitation))
                .to(audit::user(&user));
            audit::TRAIL.write(&mut transaction, Some(invitation.seller_id), now, change).await?;
            self.commit_tenant(transaction, Vec::new()).await?;
            return Ok(user);
        }
        transaction.rollback().await?;
        match self.registered_before(user_id, created_with, Some(password)).await? {
            Some(user) => Ok(user),
            None if taken => Err(self.taken(user_id).await),
            None => Err(PeopleError::TokenUnknown),
        }
    }

    /// Whether the actor may invite for this, and there is what it is for.
    async fn may_invite(&self, tx: &mut TenantTx, actor: Actor, invitation: &Invitation) -> Result<(), PeopleError> {
        match invitation.invited {
            Invited::Team(_) => {
                let team = users::team(tx, invitation.seller_id).await?;
                Ok(team.may_change(actor.map(|actor| actor.user))?)
            }
            Invited::Supplier(id) => {
                let supplier = suppliers::find(tx, invitation.seller_id, id, self.clock.now()).await?;
                let supplier = supplier.ok_or(PeopleError::NotFound("supplier"))?;
                if supplier.status == Status::Active { Ok(()) } else { Err(PeopleError::NotInUse("supplier")) }
            }
        }
    }
}
