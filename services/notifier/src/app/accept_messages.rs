//! What there is to tell becomes messages.

use super::Notifier;
use crate::store::messages::{self, NewMessage};

impl Notifier {
    /// Stores messages to be sent. Told twice, each is one.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn accept_messages(&self, new: &[NewMessage]) -> Result<(), sqlx::Error> {
        if new.is_empty() {
            return Ok(());
        }
        messages::insert(&mut *self.pool.acquire().await?, new, self.clock.now()).await?;
        for message in new {
            self.wakes.of(message.channel).notify_one();
        }
        Ok(())
    }
}
