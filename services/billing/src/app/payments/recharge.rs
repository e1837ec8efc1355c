//! Charging a buyer's card for him, when his wallet runs low.

use chrono::TimeDelta;
use leadflow_billing_domain::{CardPayment, Changes, NotNow, PaymentKind, PaymentState};
use leadflow_kernel::{BuyerId, EventId, Money, PaymentId};
use leadflow_messaging::Envelope;
use rust_decimal::Decimal;

use super::{LEASE, Payments, charge::first_look};
use crate::{
    app::AppError,
    outbound::events,
    store::{
        cards, payments,
        recharges::{self, Due},
    },
};

/// How long a wallet that is being recharged already is left alone.
const WHILE_ONE_IS_OPEN: TimeDelta = TimeDelta::seconds(30);

/// What became of wallets that were looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// How many there were.
    pub wallets: usize,
    /// Cards charged.
    pub charged: usize,
}

impl Payments {
    /// Looks at the wallets that are due, of all tenants, at most `limit`, and charges the cards of those that need it. Any number of replicas
    /// may do so: a wallet's lock and an index that allows one open recharge a buyer make it one charge.
    ///
    /// # Errors
    /// [`AppError::Database`]. That one wallet could not be looked at is no error: it is looked at again.
    pub async fn recharge_due(&self, limit: i64) -> Result<Looked, AppError> {
        let now = self.now();
        let due = {
            let mut connection = self.billing.pool.acquire().await?;
            recharges::claim(&mut connection, now, now + LEASE, limit).await?
        };
        let mut looked = Looked { wallets: due.len(), charged: 0 };
        let mut looking = tokio::task::JoinSet::new();
        for due in due {
            let payments = self.clone();
            looking.spawn(async move { (due.buyer, payments.recharge(due).await) });
        }
        while let Some(done) = looking.join_next().await {
            match done {
                Ok((_, Ok(charged))) => looked.charged += usize::from(charged),
                Ok((buyer, Err(error))) => {
                    tracing::warn!(buyer_id = %buyer, %error, cause = ?std::error::Error::source(&error), "a wallet was not recharged");
                }
                Err(error) => tracing::error!(%error, "recharging a wallet ended badly"),
            }
        }
        Ok(looked)
    }

    /// These wallets fell below their thresholds. Of whatever tenants; those that are not recharged are passed over.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn look_at(&self, buyers: &[BuyerId]) -> Result<(), AppError> {
        let mut connection = self.billing.pool.acquire().await?;
        Ok(recharges::look_at(&mut connection, buyers, self.now()).await?)
    }

    /// Finds wallets that are low without anybody having told. Returns how many.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn sweep_low_wallets(&self) -> Result<u64, AppError> {
        let mut connection = self.billing.pool.acquire().await?;
        Ok(recharges::sweep(&mut connection, self.now()).await?)
    }

    async fn recharge(&self, due: Due) -> Result<bool, AppError> {
        let Some(payment) = self.decide(due).await? else { return Ok(false) };
        match self.charge_first(&payment).await {
            Ok(()) => Ok(true),
            Err(AppError::Provider(error)) => {
                tracing::error!(payment_id = %payment.id, %error, "a wallet cannot be recharged");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Decides under the wallet's lock, and writes the payment down.
    async fn decide(&self, Due { buyer, seller }: Due) -> Result<Option<CardPayment>, AppError> {
        let mut tx = self.billing.tenants.begin(seller).await?;
        let wallet = Self::lock_wallet(&mut tx, seller, buyer).await?;
        let Some(wanted) = recharges::lock_due(&mut tx, seller, buyer).await? else { return Ok(None) };
        let mut recharge = recharges::find(&mut tx, seller, buyer).await?;
        let now = self.now();
        if payments::recharge_is_open(&mut tx, seller, buyer).await? {
            recharges::later(&mut tx, seller, buyer, now + WHILE_ONE_IS_OPEN).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let card = cards::chosen(&mut tx, seller, buyer, "").await?;
        let most = self.policy.bounds.most;
        match (recharge.due(&wallet, card.as_ref().map(|card| card.id), wanted, most, now), card) {
            (Ok(amount), Some(card)) => {
                let payment = CardPayment {
                    id: PaymentId::new(),
                    seller,
                    buyer,
                    kind: PaymentKind::Recharge,
                    request: None,
                    amount: Money::new(amount, wallet.terms.currency).map_err(AppError::Amount)?,
                    card: card.id,
                    customer: card.customer,
                    payment_method: card.payment_method,
                    state: PaymentState::Pending,
                    intent: None,
                    decline_code: None,
                    client_secret: None,
                    received: Decimal::ZERO,
                    refunded: Decimal::ZERO,
                    disputed: Decimal::ZERO,
                    posting: None,
                    created_at: now,
                    attempts: 0,
                };
                recharge.attempted(now, wallet.terms.time_zone);
                recharges::save(&mut tx, &recharge).await?;
                recharges::done(&mut tx, seller, buyer).await?;
                // Under the wallet's lock nobody else can have written one since it was asked above.
                let written = payments::insert(&mut tx, &payment, first_look(now)).await?;
                tx.commit().await?;
                Ok(written.then_some(payment))
            }
            (Err(NotNow::NoCard), _) | (Ok(_), None) => {
                let mut events = Vec::new();
                if recharge.turn_off("There is no card to charge.") {
                    recharges::save(&mut tx, &recharge).await?;
                    events.push(Envelope::new(EventId::new(), &events::recharge_turned_off(&recharge), now));
                }
                recharges::done(&mut tx, seller, buyer).await?;
                self.billing.commit_tenant(tx, &Changes::default(), events).await?;
                Ok(None)
            }
            (Err(NotNow::Until(at)), _) => {
                recharges::later(&mut tx, seller, buyer, at).await?;
                tx.commit().await?;
                Ok(None)
            }
            (Err(NotNow::Off | NotNow::Enough | NotNow::Blocked), _) => {
                recharges::done(&mut tx, seller, buyer).await?;
                tx.commit().await?;
                Ok(None)
            }
        }
    }
}
