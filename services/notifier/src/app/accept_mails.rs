//! Mails that are asked for.

use super::Notifier;
use crate::store::mails::{self, NewMail};

impl Notifier {
    /// Stores mails to be sent. Asked for twice, each is one.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn accept_mails(&self, wanted: &[NewMail]) -> Result<(), sqlx::Error> {
        mails::insert(&mut *self.pool.acquire().await?, wanted, self.clock.now()).await
    }
}
