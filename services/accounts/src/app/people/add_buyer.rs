//! A new buyer whom his seller sets up, with somebody who signs in for him.

use leadflow_accounts_domain::{Email, Name, NewBuyer, NewUser, Password, Phone, Place};
use leadflow_kernel::{SellerId, UserId};

use super::{
    People, PeopleError, Registered,
    register::{Added, Opens},
};
use crate::app::{Actor, content_hash};

/// What a seller says of a buyer and his person.
#[derive(Debug, Clone)]
pub struct AddBuyer {
    /// Made by the caller.
    pub user_id: UserId,
    /// By which he signs in.
    pub email: Email,
    /// Not checked yet; without one he chooses his own by a link that is mailed.
    pub password: Option<Password>,
    /// What he is called.
    pub name: Name,
    /// Where he is called.
    pub phone: Option<Phone>,
    /// His company, with its priority and limits.
    pub buyer: NewBuyer,
}

impl People {
    /// Makes a buyer and his user under the seller; the same request again answers them as they are now.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`], [`PeopleError::EmailInUse`], [`PeopleError::AlreadyExists`] for an id in use.
    pub async fn add_buyer_of(
        &self,
        actor: Actor,
        seller_id: SellerId,
        request: AddBuyer,
    ) -> Result<Registered, PeopleError> {
        let AddBuyer { user_id, email, password, name, phone, buyer } = request;
        let own = [email.as_str(), email.local(), name.as_str(), buyer.company_name.as_str()];
        let hash = match password.clone() {
            Some(password) => Some(self.chosen("password", password, &own).await?),
            None => None,
        };
        let person = NewUser { id: user_id, email, name, phone, place: Place::Buyer(seller_id, buyer.id) };
        let created_with = content_hash(&[person.content(), buyer.content(), vec![buyer.id.to_string()]].concat());
        let now = self.clock.now();
        let mut tx = self.tenants.begin(seller_id).await?;
        let opens = Opens::Given { password: hash.as_deref(), by: actor };
        let made = self.make_buyer(&mut tx, seller_id, &buyer, &person, opens, created_with, now).await;
        let refusal = match made {
            Ok(Some(Added { registered, events })) => {
                self.commit_tenant(tx, events).await?;
                return Ok(registered);
            }
            Ok(None) => None,
            Err(refusal @ PeopleError::AlreadyExists(_)) => Some(refusal),
            Err(error) => return Err(error),
        };
        drop(tx);
        if let Some(user) = self.registered_before(user_id, created_with, password).await? {
            return Ok(Registered { user, invite_code: None });
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None => Err(self.taken(user_id).await),
        }
    }
}
