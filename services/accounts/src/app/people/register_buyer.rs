//! A new buyer of the seller who gave away his invite code.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Email, InviteText, Name, NewBuyer, NewUser, Password, Phone, Place};
use leadflow_kernel::{EventId, SellerId, UserId};
use leadflow_messaging::Envelope;
use leadflow_platform::db::TenantTx;

use super::{
    People, PeopleError, Registered, contacts,
    register::{Added, Opens},
};
use crate::{
    app::{
        audit::{self, Change},
        content_hash, open_seller,
    },
    outbound::events,
    store::{buyers, invites},
};

/// What somebody registers with who wants to buy.
#[derive(Debug, Clone)]
pub struct RegisterBuyer {
    /// Made by the caller.
    pub user_id: UserId,
    /// By which he signs in.
    pub email: Email,
    /// Not checked yet.
    pub password: Password,
    /// What he is called.
    pub name: Name,
    /// Where he is called.
    pub phone: Option<Phone>,
    /// His company.
    pub buyer: NewBuyer,
    /// As he typed it.
    pub invite_code: String,
}

impl People {
    /// Makes a buyer and his user under the seller whose code it is; the same request again answers them as they are
    /// now, also when the code has been replaced meanwhile.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`], [`PeopleError::InviteUnknown`], [`PeopleError::EmailInUse`],
    /// [`PeopleError::AlreadyExists`] for an id in use.
    pub async fn register_buyer(&self, request: RegisterBuyer) -> Result<Registered, PeopleError> {
        let RegisterBuyer { user_id, email, password, name, phone, buyer, invite_code } = request;
        let code = InviteText::parse(&invite_code).ok_or(PeopleError::InviteUnknown)?;
        let own = [email.as_str(), email.local(), name.as_str(), buyer.company_name.as_str()];
        let hash = self.chosen("password", password.clone(), &own).await?;
        // The seller is not known before the code was looked up; it stands for him in what makes the request.
        let person = |seller: SellerId| NewUser {
            id: user_id,
            email: email.clone(),
            name: name.clone(),
            phone: phone.clone(),
            place: Place::Buyer(seller, buyer.id),
        };
        let parts = vec![buyer.id.to_string(), code.as_str().to_owned()];
        let created_with =
            content_hash(&[person(SellerId::from_uuid(user_id.uuid())).content(), buyer.content(), parts].concat());

        let now = self.clock.now();
        let refusal = match self.inviting(&code, now).await {
            Ok(seller_id) => {
                let mut tx = self.tenants.begin(seller_id).await?;
                let (person, opens) = (person(seller_id), Opens::Password(&hash));
                match self.add_buyer(&mut tx, &buyer, &code, &person, opens, created_with, now).await {
                    Ok(Some(Added { registered, events })) => {
                        self.commit_tenant(tx, events).await?;
                        return Ok(registered);
                    }
                    Ok(None) => None,
                    Err(refusal @ (PeopleError::InviteUnknown | PeopleError::AlreadyExists(_))) => Some(refusal),
                    Err(error) => return Err(error),
                }
            }
            Err(PeopleError::InviteUnknown) => Some(PeopleError::InviteUnknown),
            Err(error) => return Err(error),
        };
        if let Some(user) = self.registered_before(user_id, created_with, Some(password)).await? {
            return Ok(Registered { user, invite_code: None });
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None => Err(self.taken(user_id).await),
        }
    }
    /// Whose code it is: that is asked of all tenants.
    pub(super) async fn inviting(&self, code: &InviteText, now: DateTime<Utc>) -> Result<SellerId, PeopleError> {
        let mut connection = self.pool.acquire().await?;
        let open = invites::find_open(&mut connection, code, now).await?;
        open.map(|(seller_id, _)| seller_id).ok_or(PeopleError::InviteUnknown)
    }

    /// Makes a buyer and his user in the open transaction of the seller whose code it was a moment ago. `None` when the
    /// user's id or address is taken.
    ///
    /// # Errors
    /// [`PeopleError::InviteUnknown`], [`PeopleError::AlreadyExists`] for the buyer's id.
    #[expect(clippy::too_many_arguments, reason = "all that registering is, in one transaction")]
    pub(super) async fn add_buyer(
        &self,
        tx: &mut TenantTx,
        buyer: &NewBuyer,
        code: &InviteText,
        person: &NewUser,
        opens: Opens<'_>,
        created_with: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<Added>, PeopleError> {
        let open = invites::find_open(tx, code, now).await?;
        let (seller_id, _) = open.ok_or(PeopleError::InviteUnknown)?;
        self.make_buyer(tx, seller_id, buyer, person, opens, created_with, now).await
    }

    /// [`Self::add_buyer`] of this seller.
    #[expect(clippy::too_many_arguments, reason = "all that registering is, in one transaction")]
    pub(super) async fn make_buyer(
        &self,
        tx: &mut TenantTx,
        seller_id: SellerId,
        buyer: &NewBuyer,
        person: &NewUser,
        opens: Opens<'_>,
        created_with: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<Added>, PeopleError> {
        let seller = open_seller(tx, seller_id).await?;
        let record = buyer.clone().into_buyer(seller_id, seller.currency)?;
        if !buyers::insert(tx, &record, content_hash(&buyer.content()), now).await? {
            return Err(PeopleError::AlreadyExists("buyer"));
        }
        let Some((user, mail)) = self.add_user(tx, person, opens, created_with, now).await? else {
            return Ok(None);
        };
        let change = Change::new("buyer.created", record.id).by(opens.by(&user)).to(audit::buyer(&record));
        audit::TRAIL.write(tx, Some(seller_id), now, change).await?;
        let changed = Envelope::new(EventId::new(), &events::buyer_changed(&record), now);
        let contact = contacts::changed(tx, &user, now).await?;
        let events = std::iter::once(changed).chain(contact).chain(mail).collect();
        Ok(Some(Added { registered: Registered { user, invite_code: None }, events }))
    }
}
