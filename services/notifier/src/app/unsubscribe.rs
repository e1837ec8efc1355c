//! Somebody followed the link in a mail that ends such mails.

use leadflow_notifier_domain::{PreferencesChange, Topic};

use super::{AppError, Notifier};
use crate::store::buyers;

impl Notifier {
    /// Ends the mails that the token is of. The same again changes nothing.
    ///
    /// # Errors
    /// [`AppError::TokenUnknown`] for what is no such token.
    pub async fn unsubscribe(&self, token: &str) -> Result<Topic, AppError> {
        let (buyer, topic) = self.unsubscribe_tokens.read(token).ok_or(AppError::TokenUnknown)?;
        // The token alone says whose he is.
        let seller = buyers::tenant_of(&mut *self.pool.acquire().await?, buyer).await?;
        let seller = seller.ok_or(AppError::TokenUnknown)?;
        let change = PreferencesChange::without(topic);
        self.change_preferences(None, seller, buyer, "preferences.unsubscribed", change, None).await?;
        Ok(topic)
    }
}
