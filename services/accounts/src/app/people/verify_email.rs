//! Showing that an address is one's own.

use leadflow_accounts_domain::{MailKind, User};
use leadflow_kernel::UserId;
use serde_json::json;

use super::{People, PeopleError, contacts, existing, fingerprint};
use crate::{
    app::audit::{self, Change},
    store::{tokens, users},
};

impl People {
    /// Sends a link to the user's address, unless it has been verified.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`], [`PeopleError::Throttled`].
    pub async fn send_verification(&self, id: UserId) -> Result<(), PeopleError> {
        let mut connection = self.pool.acquire().await?;
        let user = existing(&mut connection, id).await?;
        drop(connection);
        if user.email_verified {
            return Ok(());
        }
        self.mail_wanted(user.id).await?;
        let mut transaction = self.pool.begin().await?;
        // Links of one user are made one after the other: the newest is the one that works.
        users::find_locked(&mut transaction, user.id).await?;
        let mail = self.mail(&mut transaction, MailKind::VerifyEmail, &user, self.clock.now()).await?;
        self.commit(transaction, vec![mail]).await
    }

    /// Notes that the address to which this token was mailed is its user's.
    ///
    /// # Errors
    /// [`PeopleError::TokenUnknown`].
    pub async fn verify_email(&self, token: &str) -> Result<User, PeopleError> {
        let (kind, shown) = (MailKind::VerifyEmail, fingerprint(token));
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let id = tokens::find(&mut transaction, kind, shown, now).await?.ok_or(PeopleError::TokenUnknown)?;
        // The user first, as everywhere.
        users::find_locked(&mut transaction, id).await?;
        if tokens::take(&mut transaction, kind, shown, now).await? != Some(id) {
            return Err(PeopleError::TokenUnknown);
        }
        users::verify_email(&mut transaction, id, now).await?;
        let user = existing(&mut transaction, id).await?;
        let change = Change::new("user.email_verified", id).by(audit::actor(&user)).to(json!({"emailVerified": true}));
        audit::TRAIL.write(&mut transaction, user.place.seller_id(), now, change).await?;
        let contact = contacts::changed(&mut transaction, &user, now).await?;
        self.commit(transaction, contact.into_iter().collect()).await?;
        Ok(user)
    }
}
