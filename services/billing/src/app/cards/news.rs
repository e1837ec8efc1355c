//! What the provider tells of cards. It may come late, twice, or in any order, so it is only a reason to look.

use super::{Cards, Person};
use crate::{
    app::{
        AppError,
        payments::{Heard, PaymentError},
    },
    store::{
        cards::{self, Card},
        customers,
    },
};

/// News of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardNews {
    /// A buyer has named a card to the provider.
    SetUp {
        /// `cus_…`
        customer: String,
        /// `pm_…`
        payment_method: String,
    },
    /// What is printed on it has changed, or it was taken from its customer.
    Changed {
        /// `pm_…`
        payment_method: String,
    },
}

impl Cards {
    /// Looks at a card that the provider told of, and keeps what it is now.
    ///
    /// # Errors
    /// [`AppError::Provider`], [`AppError::Database`]; telling it again is safe.
    pub async fn hear(&self, news: &CardNews) -> Result<Heard, AppError> {
        match news {
            CardNews::SetUp { customer, payment_method } => self.set_up(customer, payment_method).await,
            CardNews::Changed { payment_method } => self.changed(payment_method).await,
        }
    }

    async fn set_up(&self, customer: &str, payment_method: &str) -> Result<Heard, AppError> {
        let owner = {
            let mut connection = self.billing.pool.acquire().await?;
            customers::owner(&mut connection, customer).await?
        };
        let Some((seller, buyer)) = owner else { return Ok(Heard::NotOurs) };
        let held = self.records.card_now(payment_method).await?;
        let Some(held) = held.filter(|held| held.customer.as_deref() == Some(customer)) else {
            // Taken away again, or no card.
            return Ok(Heard::Known);
        };
        let known = self.known(payment_method).await?.is_some();
        let person = Person { seller, buyer, email: String::new(), name: String::new() };
        match self.store(None, &person, &held.card, false).await {
            Ok(_) if known => Ok(Heard::Known),
            Ok(_) => Ok(Heard::Booked),
            // He has as many as he may, or is removing it.
            Err(AppError::Payment(PaymentError::TooManyCards | PaymentError::NoSuchCard)) => Ok(Heard::Known),
            Err(error) => Err(error),
        }
    }

    async fn changed(&self, payment_method: &str) -> Result<Heard, AppError> {
        let Some(card) = self.known(payment_method).await? else { return Ok(Heard::NotOurs) };
        let held = self.records.card_now(payment_method).await?;
        let mut tx = self.billing.tenants.begin(card.seller).await?;
        let customer =
            customers::find(&mut tx, card.seller, card.buyer).await?.and_then(|customer| customer.provider_id);
        let Some(held) = held.filter(|held| held.customer.is_some() && held.customer == customer) else {
            drop(tx);
            return Ok(if self.forget_detached(&card).await? { Heard::Booked } else { Heard::Known });
        };
        let of = held.card;
        let new =
            Card { brand: of.brand, last4: of.last4, exp_month: of.exp_month, exp_year: of.exp_year, ..card.clone() };
        if new == card {
            return Ok(Heard::Known);
        }
        cards::update(&mut tx, &new).await?;
        tx.commit().await?;
        Ok(Heard::Booked)
    }

    async fn known(&self, payment_method: &str) -> Result<Option<Card>, AppError> {
        let mut connection = self.billing.pool.acquire().await?;
        Ok(cards::by_payment_method(&mut connection, payment_method).await?)
    }
}
