//! Another password.

use leadflow_accounts_domain::{MailKind, Password, User};
use leadflow_kernel::{SessionId, UserId};

use super::{People, PeopleError, own_words};
use crate::{
    app::audit::{self, Change},
    store::{sessions, tokens, users},
};

impl People {
    /// Sets a new password for somebody who knows the old one (who has none is sent one by mail), and ends every session of his but `keep`.
    ///
    /// # Errors
    /// [`PeopleError::WrongPassword`], [`PeopleError::Throttled`], [`PeopleError::Invalid`], [`PeopleError::NotFound`].
    pub async fn change_password(
        &self,
        id: UserId,
        old: Password,
        new: Password,
        keep: Option<SessionId>,
    ) -> Result<User, PeopleError> {
        self.own_password_tried(id).await?;
        let mut connection = self.pool.acquire().await?;
        let known = users::with_hash(&mut connection, id).await?.ok_or(PeopleError::NotFound("user"))?;
        drop(connection);
        if !self.hasher.verify(old, known.password_hash.clone()).await? {
            return Err(PeopleError::WrongPassword);
        }
        let hash = self.chosen("new_password", new, &own_words(&known.user)).await?;

        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let now_known = users::find_locked(&mut transaction, id).await?.ok_or(PeopleError::NotFound("user"))?;
        if now_known.password_hash != known.password_hash {
            // Somebody else was faster: the old password is not the old one any more.
            return Err(PeopleError::WrongPassword);
        }
        users::set_password(&mut transaction, id, &hash, now).await?;
        sessions::end_of_user(&mut transaction, id, None, keep).await?;
        tokens::forget(&mut transaction, MailKind::ResetPassword, id).await?;
        let change = Change::new("user.password_changed", id).by(audit::actor(&known.user));
        audit::TRAIL.write(&mut transaction, known.user.place.seller_id(), now, change).await?;
        self.commit(transaction, Vec::new()).await?;
        Ok(now_known.user)
    }
}
