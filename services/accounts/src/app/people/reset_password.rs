//! A forgotten password.

use leadflow_accounts_domain::{Email, MailKind, Password, User};

use super::{People, PeopleError, contacts, fingerprint, own_words};
use crate::{
    app::audit::{self, Change},
    store::{google, sessions, tokens, users},
};

impl People {
    /// Sends a link to whoever has this address. What becomes of it is not told, also not by how long it takes: it is
    /// done after the answer.
    pub fn forgot_password(&self, email: &str) {
        // What cannot be an address is nobody's.
        let Ok(email) = Email::parse("email", email) else { return };
        let people = self.clone();
        self.background.spawn(async move {
            match people.send_reset(&email).await {
                Ok(()) | Err(PeopleError::Throttled { .. }) => {}
                Err(error) => tracing::warn!(%error, "a mail to reset a password could not be asked for"),
            }
        });
    }

    async fn send_reset(&self, email: &Email) -> Result<(), PeopleError> {
        let mut connection = self.pool.acquire().await?;
        let known = users::find_by_email(&mut connection, email).await?;
        drop(connection);
        let Some(user) = known.map(|known| known.user).filter(|user| user.may_sign_in) else {
            return Ok(());
        };
        self.mail_wanted(user.id).await?;
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        // Links of one user are made one after the other: the newest is the one that works.
        users::find_locked(&mut transaction, user.id).await?;
        let mail = self.mail(&mut transaction, MailKind::ResetPassword, &user, now).await?;
        let change = Change::new("user.password_reset_asked", user.id);
        audit::TRAIL.write(&mut transaction, user.place.seller_id(), now, change).await?;
        self.commit(transaction, vec![mail]).await
    }

    /// Sets a new password with a token that was mailed, and shuts out whoever else may have been in: every session of the
    /// user ends, and his Google account is not his any more until he comes by it again.
    ///
    /// # Errors
    /// [`PeopleError::TokenUnknown`]; [`PeopleError::Invalid`], after which the token still works.
    pub async fn reset_password(&self, token: &str, password: Password) -> Result<User, PeopleError> {
        let (kind, shown) = (MailKind::ResetPassword, fingerprint(token));
        let mut connection = self.pool.acquire().await?;
        let user = tokens::find(&mut connection, kind, shown, self.clock.now()).await?;
        let user = super::existing(&mut connection, user.ok_or(PeopleError::TokenUnknown)?).await?;
        drop(connection);
        let hash = self.chosen("password", password, &own_words(&user)).await?;

        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        // The user first, as everywhere.
        users::find_locked(&mut transaction, user.id).await?;
        if tokens::take(&mut transaction, kind, shown, now).await? != Some(user.id) {
            return Err(PeopleError::TokenUnknown);
        }
        users::set_password(&mut transaction, user.id, &hash, now).await?;
        // Who reads mail that was sent to an address has shown that it is his.
        users::verify_email(&mut transaction, user.id, now).await?;
        sessions::end_of_user(&mut transaction, user.id, None, None).await?;
        google::unlink(&mut transaction, user.id).await?;
        let change = Change::new("user.password_reset", user.id).by(audit::actor(&user));
        audit::TRAIL.write(&mut transaction, user.place.seller_id(), now, change).await?;
        let user = super::existing(&mut transaction, user.id).await?;
        let contact = contacts::changed(&mut transaction, &user, now).await?;
        self.commit(transaction, contact.into_iter().collect()).await?;
        Ok(user)
    }
}
