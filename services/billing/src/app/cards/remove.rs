//! Taking a card away: first here, so that it is not charged any more, then at the provider, until it knows.

use chrono::TimeDelta;
use leadflow_billing_domain::Changes;
use leadflow_kernel::{BuyerId, CardId, SellerId};
use leadflow_messaging::Envelope;
use leadflow_platform::{audit::Change, db::TenantTx};

use super::{Cards, shown};
use crate::{
    app::{Actor, AppError, TRAIL, payments::PaymentError},
    outbound::provider::ProviderError,
    store::{
        cards::{self, Card, CardName},
        customers, wallets,
    },
};

/// Why recharging stops without a card; the buyer reads it.
const NO_CARD: &str = "The last card was removed.";
/// How long whoever removes a card has to tell the provider, before the worker does.
const GRACE: TimeDelta = TimeDelta::seconds(60);
/// Cards that a step tells the provider of.
const MOST: i64 = 100;

/// What removing a card has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// The card that is primary now.
    pub primary: Option<CardId>,
    /// It was the last one, and recharging was on.
    pub recharge_turned_off: bool,
}

impl Cards {
    /// Takes a card away. If it was the primary one, the newest other card is now; if it was the last one, recharging is turned off.
    /// The provider is told at once, or later by [`Self::detach_removed`].
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`]; [`PaymentError::NoSuchCard`], also when it was removed before; [`AppError::Database`].
    pub async fn remove(
        &self,
        actor: Actor,
        tenant: SellerId,
        buyer: BuyerId,
        name: &CardName,
    ) -> Result<Removed, AppError> {
        let mut tx = self.billing.tenants.begin(tenant).await?;
        wallets::lock(&mut tx, Some(tenant), [buyer]).await?.first().ok_or(AppError::NoSuchWallet)?;
        self.look_at_wallet(&mut tx, buyer).await?;
        customers::lock(&mut tx, tenant, buyer).await?;
        let card = cards::find(&mut tx, tenant, buyer, Some(name)).await?.ok_or(PaymentError::NoSuchCard)?;
        cards::mark_removed(&mut tx, tenant, card.id, self.billing.clock.now()).await?;
        let (removed, events) = self.without(&mut tx, actor, &card).await?;
        self.billing.commit_tenant(tx, &Changes::default(), events).await?;
        if let Err(error) = self.detach(&card).await {
            tracing::warn!(card_id = %card.id, %error, "the provider does not know yet that a card was removed");
        }
        Ok(removed)
    }

    /// Forgets a card that the provider says is nobody's any more.
    pub(super) async fn forget_detached(&self, card: &Card) -> Result<bool, AppError> {
        let (tenant, buyer) = (card.seller, card.buyer);
        let mut tx = self.billing.tenants.begin(tenant).await?;
        wallets::lock(&mut tx, Some(tenant), [buyer]).await?;
        self.look_at_wallet(&mut tx, buyer).await?;
        customers::lock(&mut tx, tenant, buyer).await?;
        let Some(card) = cards::by_payment_method(&mut tx, &card.payment_method).await? else { return Ok(false) };
        cards::forget(&mut tx, tenant, card.id).await?;
        let mut events = Vec::new();
        if card.removed_at.is_none() {
            events = self.without(&mut tx, None, &card).await?.1;
        }
        self.billing.commit_tenant(tx, &Changes::default(), events).await?;
        Ok(true)
    }

    /// Tells the provider of cards whose removal it was not told of at once. Returns of how many.
    ///
    /// # Errors
    /// [`AppError::Database`]. That the provider does not answer is no error: the next step asks again.
    pub async fn detach_removed(&self) -> Result<usize, AppError> {
        let before = self.billing.clock.now() - GRACE;
        let left = {
            let mut connection = self.billing.pool.acquire().await?;
            cards::to_detach(&mut connection, before, MOST).await?
        };
        let mut told = 0;
        for card in left {
            match self.detach(&card).await {
                Ok(()) => told += 1,
                Err(AppError::Provider(ProviderError::NotConfigured)) => return Ok(told),
                Err(error) => {
                    tracing::warn!(card_id = %card.id, %error, "the provider does not know yet that a card was removed");
                }
            }
        }
        Ok(told)
    }

    async fn detach(&self, card: &Card) -> Result<(), AppError> {
        self.provider.detach_card(&card.payment_method).await?;
        let mut tx = self.billing.tenants.begin(card.seller).await?;
        cards::forget(&mut tx, card.seller, card.id).await?;
        Ok(tx.commit().await?)
    }

    /// What follows when this card is not there any more. The wallet and the buyer's cards are locked.
    async fn without(
        &self,
        tx: &mut TenantTx,
        actor: Actor,
        card: &Card,
    ) -> Result<(Removed, Vec<Envelope>), AppError> {
        let (tenant, buyer) = (card.seller, card.buyer);
        let now = self.billing.clock.now();
        let left = cards::list(tx, tenant, buyer).await?;
        // The primary one comes first, else the newest.
        let primary = left.first().map(|card| card.id);
        if card.is_primary
            && let Some(promoted) = left.first()
        {
            cards::set_primary(tx, tenant, buyer, Some(promoted.id)).await?;
            let now_primary = Card { is_primary: true, ..promoted.clone() };
            let change =
                Change::new("card.set_primary", promoted.id).by(actor).from(shown(promoted)).to(shown(&now_primary));
            TRAIL.write(tx, Some(tenant), now, change).await?;
        }
        let change = Change::new("card.removed", card.id).by(actor).from(shown(card));
        TRAIL.write(tx, Some(tenant), now, change).await?;
        let off = match primary {
            Some(_) => None,
            None => self.payments.turn_off_recharge(tx, tenant, buyer, NO_CARD).await?,
        };
        Ok((Removed { primary, recharge_turned_off: off.is_some() }, off.into_iter().collect()))
    }
}
