//! Choosing the card that is charged when no other one is named.

use leadflow_kernel::{BuyerId, SellerId};
use leadflow_platform::audit::Change;

use super::{Cards, shown};
use crate::{
    app::{Actor, AppError, TRAIL, payments::PaymentError},
    store::{
        cards::{self, Card, CardName},
        customers,
    },
};

impl Cards {
    /// Makes this one the primary card.
    ///
    /// # Errors
    /// [`PaymentError::NoSuchCard`], [`AppError::Database`].
    pub async fn set_primary(
        &self,
        actor: Actor,
        tenant: SellerId,
        buyer: BuyerId,
        name: &CardName,
    ) -> Result<Card, AppError> {
        let mut tx = self.billing.tenants.begin(tenant).await?;
        self.look_at_wallet(&mut tx, buyer).await?;
        customers::lock(&mut tx, tenant, buyer).await?;
        let before = cards::find(&mut tx, tenant, buyer, Some(name)).await?.ok_or(PaymentError::NoSuchCard)?;
        if before.is_primary {
            return Ok(before);
        }
        cards::set_primary(&mut tx, tenant, buyer, Some(before.id)).await?;
        let card = Card { is_primary: true, ..before.clone() };
        let change = Change::new("card.set_primary", card.id).by(actor).from(shown(&before)).to(shown(&card));
        TRAIL.write(&mut tx, Some(tenant), self.billing.clock.now(), change).await?;
        tx.commit().await?;
        Ok(card)
    }
}
