//! How buyers are reached of whom it was not told.

use leadflow_kernel::{BuyerId, EventId};
use leadflow_messaging::Envelope;

use super::{Accounts, AppError};
use crate::{outbound::events, store::contacts};

/// Buyers told of in one transaction.
const AT_ONCE: u32 = 200;

impl Accounts {
    /// Tells how some buyers after `after` are reached of whom that was never told, or something else; the last of them,
    /// or `None` when none is left.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn tell_contacts(&self, after: Option<BuyerId>) -> Result<Option<BuyerId>, AppError> {
        let mut transaction = self.pool.begin().await?;
        let untold = contacts::untold(&mut transaction, after, AT_ONCE).await?;
        let Some((_, last)) = untold.last().copied() else { return Ok(None) };
        let mut told = Vec::with_capacity(untold.len());
        for (seller_id, buyer_id) in untold {
            // Somebody else may have told of him meanwhile.
            if let Some(contact) = contacts::renew(&mut transaction, seller_id, buyer_id).await? {
                told.push(Envelope::new(EventId::new(), &events::buyer_contact(&contact), self.clock.now()));
            }
        }
        let pending = self.outbox.append(&mut transaction, told).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(Some(last))
    }
}
