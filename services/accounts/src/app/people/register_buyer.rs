//! A new buyer of the seller who gave away his invite code.

use leadflow_accounts_domain::{Email, InviteText, Name, NewBuyer, NewUser, Password, Phone, Place};
use leadflow_kernel::{EventId, SellerId, UserId};
use leadflow_messaging::Envelope;

use super::{People, PeopleError, Registered};
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
        // Whose code it is, is asked of all tenants; that it is still so, of the one.
        let invited = invites::find_open(&mut *self.pool.acquire().await?, &code, now).await?;
        let refusal = match invited {
            None => Some(PeopleError::InviteUnknown),
            Some((seller_id, _)) => {
                let mut tx = self.tenants.begin(seller_id).await?;
                let seller = open_seller(&mut tx, seller_id).await?;
                let record = buyer.clone().into_buyer(seller_id, seller.currency)?;
                let record_hash = content_hash(&buyer.content());
                if invites::find_open(&mut tx, &code, now).await?.is_none() {
                    Some(PeopleError::InviteUnknown)
                } else if !buyers::insert(&mut tx, &record, record_hash, now).await? {
                    Some(PeopleError::AlreadyExists("buyer"))
                } else if let Some((user, mail)) =
                    self.add_user(&mut tx, &person(seller_id), &hash, created_with, now).await?
                {
                    let change =
                        Change::new("buyer.created", record.id).by(audit::actor(&user)).to(audit::buyer(&record));
                    audit::TRAIL.write(&mut tx, Some(seller_id), now, change).await?;
                    let changed = Envelope::new(EventId::new(), &events::buyer_changed(&record), now);
                    self.commit_tenant(tx, vec![changed, mail]).await?;
                    return Ok(Registered { user, invite_code: None });
                } else {
                    None
                }
            }
        };
        if let Some(user) = self.registered_before(user_id, created_with, password).await? {
            return Ok(Registered { user, invite_code: None });
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None => Err(self.taken(user_id).await),
        }
    }
}
