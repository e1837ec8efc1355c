//! The provider's customer of a buyer: one, however many ask for it at once.

use std::time::Duration;

use leadflow_kernel::{BuyerId, SellerId};

use super::Cards;
use crate::{
    app::AppError,
    outbound::provider::{NewCustomer, ProviderError},
    store::customers::{self, Customer},
};

/// How often, and how far apart, the provider is asked while it is busy with the same question of somebody else.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(150);

/// A buyer, as the provider is to know him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The tenant.
    pub seller: SellerId,
    /// Who.
    pub buyer: BuyerId,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub name: String,
}

impl Cards {
    /// The provider's id of a buyer, who becomes its customer when he is none yet.
    ///
    /// All who ask at once ask with the same key and the same words (those that were written down first), so the provider makes one.
    /// An answer that was lost is asked for again with that key. Should that be so late that the provider has forgotten it, the
    /// customer that nobody knows of stays without a card.
    pub(super) async fn customer(&self, person: &Person) -> Result<String, AppError> {
        let noted = self.note(person).await?;
        if let Some(known) = noted.provider_id {
            return Ok(known);
        }
        let new = NewCustomer { buyer: noted.buyer, seller: noted.seller, email: noted.email, name: noted.name };
        let mut tries = 1;
        let made = loop {
            match self.provider.create_customer(&new).await {
                Err(ProviderError::Busy(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                    // Whoever was faster may have written it down by now.
                    if let Some(known) = self.note(person).await?.provider_id {
                        return Ok(known);
                    }
                }
                answer => break answer?,
            }
        };
        let mut tx = self.billing.tenants.begin(person.seller).await?;
        let known = customers::learn(&mut tx, person.seller, person.buyer, &made).await?;
        tx.commit().await?;
        Ok(known)
    }

    async fn note(&self, person: &Person) -> Result<Customer, AppError> {
        let new = Customer {
            buyer: person.buyer,
            seller: person.seller,
            email: person.email.clone(),
            name: person.name.clone(),
            provider_id: None,
        };
        let mut tx = self.billing.tenants.begin(person.seller).await?;
        let noted = customers::note(&mut tx, &new, self.billing.clock.now()).await?;
        tx.commit().await?;
        noted.ok_or(AppError::NoSuchWallet)
    }
}
