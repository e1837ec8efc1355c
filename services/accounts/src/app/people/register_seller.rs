//! A new tenant with its owner.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Email, Invite, Member, Name, NewSeller, NewUser, Password, Place};
use leadflow_kernel::{EventId, UserId};
use leadflow_messaging::Envelope;
use leadflow_platform::db::TenantTx;

use super::{
    People, PeopleError, Registered,
    register::{Added, Opens},
};
use crate::{
    app::{
        audit::{self, Change},
        content_hash,
    },
    outbound::events,
    store::{invites, sellers},
};

/// What somebody registers with who wants to sell.
#[derive(Debug, Clone)]
pub struct RegisterSeller {
    /// Made by the caller.
    pub user_id: UserId,
    /// By which he signs in.
    pub email: Email,
    /// Not checked yet.
    pub password: Password,
    /// What he is called.
    pub name: Name,
    /// His company.
    pub seller: NewSeller,
}

impl People {
    /// Makes seller, owner and the first invite code; the same request again answers them as they are now.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`], [`PeopleError::EmailInUse`], [`PeopleError::AlreadyExists`] for an id in use.
    pub async fn register_seller(&self, request: RegisterSeller) -> Result<Registered, PeopleError> {
        let RegisterSeller { user_id, email, password, name, seller } = request;
        let place = Place::Seller(seller.id, Member::Owner);
        let own = [
            email.as_str().to_owned(),
            email.local().to_owned(),
            name.as_str().to_owned(),
            seller.company_name.as_str().to_owned(),
        ];
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let new = NewUser { id: user_id, email, name, phone: None, place };
        let created_with = content_hash(&[new.content(), seller.content(), vec![seller.id.to_string()]].concat());
        let hash = self.chosen("password", password.clone(), &own).await?;

        let now = self.clock.now();
        let seller_id = seller.id;
        let mut transaction = self.tenants.begin(seller_id).await?;
        let opens = Opens::Password(&hash);
        let added = self.add_seller(&mut transaction, seller, &new, opens, created_with, now).await?;
        if let Some(Added { registered, events }) = added {
            self.commit_tenant(transaction, events).await?;
            return Ok(registered);
        }
        transaction.rollback().await?;
        let Some(user) = self.registered_before(user_id, created_with, Some(password)).await? else {
            return Err(self.seller_taken(&new).await);
        };
        let mut tx = self.tenants.begin(seller_id).await?;
        let invite = invites::current(&mut tx, seller_id).await?;
        Ok(Registered { user, invite_code: invite.map(|invite| invite.text.as_str().to_owned()) })
    }

    /// Makes a seller, its owner and its first invite code in the open transaction. `None` when one of the ids or the
    /// address is taken.
    pub(super) async fn add_seller(
        &self,
        tx: &mut TenantTx,
        seller: NewSeller,
        owner: &NewUser,
        opens: Opens<'_>,
        created_with: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<Added>, PeopleError> {
        let seller_hash = content_hash(&seller.content());
        let seller = seller.into_seller();
        if !sellers::insert(tx, &seller, seller_hash, now).await? {
            return Ok(None);
        }
        let Some((user, mail)) = self.add_user(tx, owner, opens, created_with, now).await? else {
            return Ok(None);
        };
        let change = Change::new("seller.created", seller.id).by(audit::actor(&user)).to(audit::seller(&seller));
        audit::TRAIL.write(tx, Some(seller.id), now, change).await?;
        let invite = Invite::new(super::new_invite()?, 0, now);
        if !invites::insert(tx, seller.id, &invite).await? {
            return Err(PeopleError::Internal("an invite code was drawn twice".to_owned()));
        }
        let changed = Envelope::new(EventId::new(), &events::seller_changed(&seller), now);
        let registered = Registered { user, invite_code: Some(invite.text.as_str().to_owned()) };
        Ok(Some(Added { registered, events: std::iter::once(changed).chain(mail).collect() }))
    }

    async fn seller_taken(&self, new: &NewUser) -> PeopleError {
        let by_email = async { crate::store::users::find_by_email(&mut *self.pool.acquire().await?, &new.email).await };
        match by_email.await {
            Ok(Some(known)) if known.user.id != new.id => PeopleError::EmailInUse,
            Ok(Some(_)) => PeopleError::AlreadyExists("user"),
            Ok(None) => PeopleError::AlreadyExists("seller"),
            Err(error) => error.into(),
        }
    }
}
