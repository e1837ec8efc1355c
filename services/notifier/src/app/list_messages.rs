//! A buyer's e-mails and text messages with their attempts.

use leadflow_kernel::{BuyerId, MessageId, SellerId};

use super::{AppError, Notifier};
use crate::store::message_log::{self, MessageAttemptRow, MessageRow};

/// A message and its attempts.
#[derive(Debug, Clone)]
pub struct MessageView {
    /// The message.
    pub message: MessageRow,
    /// In order.
    pub attempts: Vec<MessageAttemptRow>,
}

impl Notifier {
    /// Newest first; `before` is the last one of the page before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_messages(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<MessageView>, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = message_log::of_buyer(&mut tx, seller, buyer, before, limit).await?;
        let ids: Vec<MessageId> = found.iter().map(|message| message.id).collect();
        let mut tried = message_log::attempts_of(&mut tx, &ids).await?;
        let view = |message: MessageRow| {
            let attempts = tried.extract_if(.., |attempt| attempt.message == message.id).collect();
            MessageView { message, attempts }
        };
        Ok(found.into_iter().map(view).collect())
    }
}
