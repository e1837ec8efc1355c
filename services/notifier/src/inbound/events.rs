//! Events that others told.

use leadflow_contracts::{events as told, id};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use super::convert;
use crate::{app::Notifier, outbound::dispatcher::Dispatcher};

/// `notification.mail_wanted`: a mail to somebody who signs in.
pub struct MailsWanted {
    /// Stores it.
    pub notifier: Notifier,
}

#[async_trait::async_trait]
impl BatchHandler for MailsWanted {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut mails = Vec::with_capacity(batch.len());
        for message in batch {
            let event = message.decode::<told::MailWanted>().map_err(HandleError::permanent)?;
            mails.push(convert::mail(message, event).map_err(HandleError::permanent)?);
        }
        Ok(self.notifier.accept_messages(&mails).await?)
    }
}

/// `lead.assigned`: what was sold is delivered.
pub struct LeadsAssigned {
    /// Does it.
    pub notifier: Notifier,
    /// Sends it.
    pub dispatcher: Dispatcher,
}

#[async_trait::async_trait]
impl BatchHandler for LeadsAssigned {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut sales = Vec::with_capacity(batch.len());
        for message in batch {
            let event = message.decode::<told::LeadAssigned>().map_err(HandleError::permanent)?;
            sales.extend(convert::sales(message, event).map_err(HandleError::permanent)?);
        }
        self.notifier.accept_leads(&sales, &self.dispatcher).await
    }
}

/// `buyer.changed.*`: whose buyer it is.
pub struct BuyersChanged {
    /// Remembers it.
    pub notifier: Notifier,
}

#[async_trait::async_trait]
impl BatchHandler for BuyersChanged {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut buyers: Vec<(BuyerId, SellerId)> = Vec::with_capacity(batch.len());
        for message in batch {
            let event = message.decode::<told::BuyerChanged>().map_err(HandleError::permanent)?;
            let buyer = id(&event.buyer_id, "buyer_id").map_err(HandleError::permanent)?;
            buyers.push((buyer, id(&event.seller_id, "seller_id").map_err(HandleError::permanent)?));
        }
        Ok(self.notifier.learn_buyers(&buyers).await?)
    }
}
