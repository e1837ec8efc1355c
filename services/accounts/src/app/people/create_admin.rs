//! Somebody who runs the platform.

use leadflow_accounts_domain::{Email, Name, NewUser, Password, Place, User};
use leadflow_kernel::UserId;

use super::{People, PeopleError, register::Opens};
use crate::app::content_hash;

impl People {
    /// Makes an administrator; the same request again answers him as he is now.
    ///
    /// # Errors
    /// [`PeopleError::Invalid`], [`PeopleError::EmailInUse`], [`PeopleError::AlreadyExists`] for an id in use.
    pub async fn create_admin(
        &self,
        id: UserId,
        email: Email,
        password: Password,
        name: Name,
    ) -> Result<User, PeopleError> {
        let hash = self.chosen("password", password.clone(), &[email.as_str(), email.local(), name.as_str()]).await?;
        let new = NewUser { id, email, name, phone: None, place: Place::Admin };
        let created_with = content_hash(&new.content());
        let mut transaction = self.pool.begin().await?;
        let opens = Opens::Password(&hash);
        let added = self.add_user(&mut transaction, &new, opens, created_with, self.clock.now()).await?;
        if let Some((user, mail)) = added {
            self.commit(transaction, mail.into_iter().collect()).await?;
            return Ok(user);
        }
        transaction.rollback().await?;
        match self.registered_before(id, created_with, Some(password)).await? {
            Some(user) => Ok(user),
            None => Err(self.taken(id).await),
        }
    }
}
