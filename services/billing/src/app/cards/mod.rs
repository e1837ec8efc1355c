//! Buyers' cards: stored with the provider of card payments, known to us by their last digits.
//!
//! The provider is never asked inside a transaction. Whatever changes a buyer's cards happens under the lock of his row in
//! `customers`, and takes the wallet's lock before that where recharging may be turned off. Between the two it has the wallet looked at.

mod attach;
mod customer;
mod news;
mod remove;
mod set_primary;

use std::sync::Arc;

use leadflow_kernel::{BuyerId, SellerId};
use leadflow_platform::db::TenantTx;
use serde_json::{Value, json};

pub use crate::store::cards::{Card, CardName};
pub use attach::NewCard;
pub use customer::Person;
pub use news::CardNews;
pub use remove::Removed;

use super::{AppError, Billing, payments::Payments};
use crate::{
    outbound::{provider::PaymentProvider, records::ProviderRecords},
    store::{cards, recharges, wallets},
};

/// The most cards a buyer may have.
pub const MOST_CARDS: usize = 20;

/// Carries out what has to do with buyers' cards. Cheap to clone.
#[derive(Clone)]
pub struct Cards {
    billing: Billing,
    payments: Payments,
    provider: Arc<dyn PaymentProvider>,
    records: Arc<dyn ProviderRecords>,
}

impl Cards {
    /// Cards of the buyers in `billing`, kept by `provider`.
    #[must_use]
    pub fn new(
        billing: Billing,
        payments: Payments,
        provider: Arc<dyn PaymentProvider>,
        records: Arc<dyn ProviderRecords>,
    ) -> Self {
        Self { billing, payments, provider, records }
    }

    /// A buyer's cards, the primary one first, then the newest.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Database`].
    pub async fn list(&self, tenant: SellerId, buyer: BuyerId) -> Result<Vec<Card>, AppError> {
        let mut tx = self.billing.tenants.begin(tenant).await?;
        let found = cards::list(&mut tx, tenant, buyer).await?;
        if found.is_empty() {
            wallets::find(&mut tx, tenant, buyer).await?.ok_or(AppError::NoSuchWallet)?;
        }
        Ok(found)
    }

    /// Begins storing a card: what the front end needs to let the buyer name it to the provider.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`super::payments::PaymentError::TooManyAttempts`], [`AppError::Provider`], [`AppError::Database`].
    pub async fn begin_setup(&self, person: &Person) -> Result<Setup, AppError> {
        let customer = self.customer(person).await?;
        self.payments.try_card(person.seller, person.buyer).await?;
        let client_secret = self.provider.create_setup_intent(&customer).await?;
        Ok(Setup { client_secret, customer })
    }

    /// Forgets attempts to store cards that do not count any more. Returns how many.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn forget_attempts(&self) -> Result<u64, AppError> {
        self.payments.forget_attempts().await
    }

    /// For a transaction after which another card may be the primary one: a wallet that waits because its card was declined need not wait
    /// any more. To be called before the buyer's cards are locked, as whoever recharges takes these locks.
    async fn look_at_wallet(&self, tx: &mut TenantTx, buyer: BuyerId) -> Result<(), sqlx::Error> {
        recharges::look_at(tx, &[buyer], self.billing.clock.now()).await
    }
}

/// What a front end needs to let a buyer name a card to the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Setup {
    /// Good for this one card. Not for logs.
    pub client_secret: String,
    /// `cus_…`
    pub customer: String,
}

/// A card in the audit.
fn shown(card: &Card) -> Value {
    json!({"brand": card.brand, "last4": card.last4, "primary": card.is_primary, "buyer": card.buyer.to_string()})
}
