//! Storing a card.

use leadflow_kernel::{CardId, SellerId};
use leadflow_platform::audit::Change;

use super::{Cards, MOST_CARDS, Person, shown};
use crate::{
    app::{Actor, AppError, TRAIL, payments::PaymentError},
    outbound::provider::{ProviderCard, ProviderError},
    store::{
        cards::{self, Card},
        customers,
    },
};

/// "Store this card for that buyer."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCard {
    /// For whom.
    pub person: Person,
    /// `pm_…`
    pub payment_method: String,
    /// It is charged from now on when no other one is named. The first card is, in any case.
    pub set_as_primary: bool,
}

impl Cards {
    /// Stores a card. Once more changes nothing, but for making it the primary one.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`]; [`PaymentError::NoSuchCard`] when there is no such card, or it is somebody else's, here or with the
    /// provider; [`PaymentError::TooManyCards`]; [`PaymentError::TooManyAttempts`]; [`AppError::Provider`];
    /// [`AppError::Database`].
    pub async fn attach(&self, actor: Actor, new: &NewCard) -> Result<Card, AppError> {
        if !is_payment_method(&new.payment_method) {
            return Err(PaymentError::NoSuchCard.into());
        }
        let (tenant, buyer) = (new.person.seller, new.person.buyer);
        let customer = self.customer(&new.person).await?;
        let stored = {
            let mut tx = self.billing.tenants.begin(tenant).await?;
            cards::list(&mut tx, tenant, buyer).await?
        };
        let known = stored.iter().any(|card| card.payment_method == new.payment_method);
        if !known && stored.len() >= MOST_CARDS {
            return Err(PaymentError::TooManyCards.into());
        }
        let attempt = if known { None } else { Some(self.payments.try_card(tenant, buyer).await?) };
        // Also one that we know: it may have been taken away on the provider's side.
        let card = match self.provider.attach_card(&customer, &new.payment_method).await {
            Ok(card) => card,
            Err(ProviderError::Refused { code, message }) => {
                if let Some(attempt) = attempt {
                    self.payments.card_was_refused(tenant, attempt).await?;
                }
                if code == "resource_missing" {
                    return Err(PaymentError::NoSuchCard.into());
                }
                return Err(ProviderError::Refused { code, message }.into());
            }
            Err(error) => return Err(error.into()),
        };
        self.store(actor, &new.person, &card, new.set_as_primary).await
    }

    /// Keeps a card that the provider has given to the buyer's customer.
    pub(super) async fn store(
        &self,
        actor: Actor,
        person: &Person,
        of: &ProviderCard,
        set_as_primary: bool,
    ) -> Result<Card, AppError> {
        let (tenant, buyer) = (person.seller, person.buyer);
        let now = self.billing.clock.now();
        let mut tx = self.billing.tenants.begin(tenant).await?;
        self.look_at_wallet(&mut tx, buyer).await?;
        customers::lock(&mut tx, tenant, buyer).await?;
        let before = cards::list(&mut tx, tenant, buyer).await?;
        let known = before.iter().find(|card| card.payment_method == of.payment_method);
        let mut card = match known {
            Some(card) => card.clone(),
            None if before.len() >= MOST_CARDS => return Err(PaymentError::TooManyCards.into()),
            None => {
                let card = as_card(tenant, person, of, now);
                if !cards::insert(&mut tx, &card).await? {
                    // Another buyer's, or one that this buyer is removing.
                    return Err(PaymentError::NoSuchCard.into());
                }
                card
            }
        };
        let primary = set_as_primary || !before.iter().any(|card| card.is_primary);
        let promoted = primary && !card.is_primary;
        if promoted {
            cards::set_primary(&mut tx, tenant, buyer, Some(card.id)).await?;
            card.is_primary = true;
        }
        let change = match known {
            None => Some(Change::new("card.attached", card.id).to(shown(&card))),
            Some(before) if promoted => {
                Some(Change::new("card.set_primary", card.id).from(shown(before)).to(shown(&card)))
            }
            Some(_) => None,
        };
        if let Some(change) = change {
            TRAIL.write(&mut tx, Some(tenant), now, change.by(actor)).await?;
        }
        tx.commit().await?;
        Ok(card)
    }
}

fn as_card(tenant: SellerId, person: &Person, of: &ProviderCard, now: chrono::DateTime<chrono::Utc>) -> Card {
    Card {
        id: CardId::new(),
        buyer: person.buyer,
        seller: tenant,
        payment_method: of.payment_method.clone(),
        brand: of.brand.clone(),
        last4: of.last4.clone(),
        exp_month: of.exp_month,
        exp_year: of.exp_year,
        is_primary: false,
        created_at: now,
        removed_at: None,
    }
}

/// The only shape that is asked for: it goes into a path of the provider's.
fn is_payment_method(text: &str) -> bool {
    text.strip_prefix("pm_").is_some_and(|rest| {
        (1..=250).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::is_payment_method;

    #[test]
    fn nothing_but_an_id_goes_into_a_path() {
        assert!(is_payment_method("pm_1NvmE62eZvKYlo2C") && is_payment_method("pm_card_visa"));
        for bad in ["", "pm_", "card_1", "pm_1/detach", "pm_..", "pm_1?x", "pm_1 ", "PM_1", "pm_é"] {
            assert!(!is_payment_method(bad), "{bad:?}");
        }
        assert!(!is_payment_method(&format!("pm_{}", "x".repeat(251))));
    }
}
