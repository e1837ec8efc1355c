//! Events that others told, and one of our own.

use leadflow_contracts::{Event, events as told, id};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use super::{convert, news};
use crate::{
    app::{DirectoryNews, Notifier},
    outbound::dispatcher::Dispatcher,
    store::buyers::{BuyerNews, ContactNews, SellerNews},
};

fn read<E: Event>(message: &Message) -> Result<E, HandleError> {
    message.decode::<E>().map_err(HandleError::permanent)
}

fn unknown(message: &Message) -> HandleError {
    // Among the dead letters it waits for a release that knows it.
    HandleError::permanent(format!("nothing is known of {}", message.kind))
}

/// `notification.mail_wanted`: a mail to somebody who signs in; `notification.endpoint_disabled`: the buyer is told.
pub struct MailsWanted {
    /// Stores them.
    pub notifier: Notifier,
}

#[async_trait::async_trait]
impl BatchHandler for MailsWanted {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let (mut mails, mut tellings) = (Vec::with_capacity(batch.len()), Vec::new());
        for message in batch {
            match message.kind.as_str() {
                told::MailWanted::TYPE => {
                    mails.push(convert::mail(message, read(message)?).map_err(HandleError::permanent)?);
                }
                told::EndpointDisabled::TYPE => {
                    tellings.push(news::endpoint_disabled(message, &read(message)?).map_err(HandleError::permanent)?)
                }
                _ => return Err(unknown(message)),
            }
        }
        self.notifier.accept_messages(&mails).await?;
        Ok(self.notifier.accept_news(&tellings).await?)
    }
}

/// `lead.assigned`, `lead.returned`: what was sold, or is so no more, is delivered; `lead.return_decided`: the buyer is told.
pub struct LeadsAssigned {
    /// Does it.
    pub notifier: Notifier,
    /// Sends it.
    pub dispatcher: Dispatcher,
}

#[async_trait::async_trait]
impl BatchHandler for LeadsAssigned {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let (mut sales, mut returns, mut tellings) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
        for message in batch {
            match message.kind.as_str() {
                told::LeadAssigned::TYPE => {
                    sales.extend(convert::sales(message, read(message)?).map_err(HandleError::permanent)?);
                }
                told::LeadReturned::TYPE => {
                    returns.push(convert::undone(message, read(message)?).map_err(HandleError::permanent)?);
                }
                told::ReturnDecided::TYPE => {
                    tellings.push(news::return_decided(message, &read(message)?).map_err(HandleError::permanent)?);
                }
                _ => return Err(unknown(message)),
            }
        }
        self.notifier.accept_news(&tellings).await?;
        if !sales.is_empty() {
            self.notifier.accept_leads(&sales, &self.dispatcher).await?;
        }
        if !returns.is_empty() {
            self.notifier.accept_returns(&returns, &self.dispatcher).await?;
        }
        Ok(())
    }
}

/// Wallets that run low, and cards that do not help them: `wallet.low_balance`, `payment.declined`, `payment.action_needed`,
/// `payment.recharge_turned_off`.
pub struct MoneyNews {
    /// Tells of it.
    pub notifier: Notifier,
    /// Sends what endpoints are told.
    pub dispatcher: Dispatcher,
}

#[async_trait::async_trait]
impl BatchHandler for MoneyNews {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut tellings = Vec::with_capacity(batch.len());
        let (mut low, mut declined) = (Vec::new(), Vec::new());
        for message in batch {
            let telling = match message.kind.as_str() {
                told::WalletLowBalance::TYPE => {
                    let event = read(message)?;
                    low.push(convert::low_wallet(message, &event).map_err(HandleError::permanent)?);
                    news::low_balance(message, &event).map(Some)
                }
                told::PaymentChanged::TYPE => {
                    let event = read(message)?;
                    declined.extend(convert::declined(message, &event).map_err(HandleError::permanent)?);
                    news::payment(message, &event)
                }
                told::RechargeTurnedOff::TYPE => news::recharge_turned_off(message, &read(message)?).map(Some),
                _ => return Err(unknown(message)),
            };
            tellings.extend(telling.map_err(HandleError::permanent)?);
        }
        self.notifier.accept_news(&tellings).await?;
        self.notifier.accept_money(&low, &declined, &self.dispatcher).await
    }
}

/// `seller.changed.*`, `buyer.changed.*`, `buyer.contact.*`: whose buyer it is, how he is reached, and in whose name.
pub struct DirectoryChanged {
    /// Remembers it.
    pub notifier: Notifier,
}

#[async_trait::async_trait]
impl BatchHandler for DirectoryChanged {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut news = DirectoryNews::default();
        for message in batch {
            match message.kind.as_str() {
                told::BuyerChanged::TYPE => {
                    let event = read::<told::BuyerChanged>(message)?;
                    news.buyers.push(BuyerNews {
                        id: id(&event.buyer_id, "buyer_id").map_err(HandleError::permanent)?,
                        seller: id(&event.seller_id, "seller_id").map_err(HandleError::permanent)?,
                        version: event.version,
                        company_name: event.company_name,
                    });
                }
                told::BuyerContact::TYPE => {
                    let event = read::<told::BuyerContact>(message)?;
                    news.contacts.push(ContactNews {
                        buyer: id(&event.buyer_id, "buyer_id").map_err(HandleError::permanent)?,
                        seller: id(&event.seller_id, "seller_id").map_err(HandleError::permanent)?,
                        version: event.version,
                        name: event.name,
                        email: event.email,
                        email_verified: event.email_verified,
                        phone: event.phone,
                    });
                }
                told::SellerChanged::TYPE => {
                    let event = read::<told::SellerChanged>(message)?;
                    news.sellers.push(SellerNews {
                        id: id(&event.seller_id, "seller_id").map_err(HandleError::permanent)?,
                        version: event.version,
                        company_name: event.company_name,
                        time_zone: event.time_zone,
                    });
                }
                _ => return Err(unknown(message)),
            }
        }
        Ok(self.notifier.learn(&news).await?)
    }
}
