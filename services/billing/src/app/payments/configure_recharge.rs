//! Choosing whether, when and with how much a wallet is recharged by itself.

use leadflow_billing_domain::{Books, MOST_A_DAY, Price, Recharge, Wallet};
use leadflow_kernel::{BuyerId, EventId, Money, SellerId};
use leadflow_messaging::Envelope;
use leadflow_platform::{audit::Change, db::TenantTx};
use serde_json::{Value, json};

use super::{PaymentError, Payments};
use crate::{
    app::{Actor, AppError, TRAIL},
    outbound::events,
    store::{cards, recharges, wallets},
};

/// What to change; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RechargeChange {
    /// Turned on or off.
    pub enabled: Option<bool>,
    /// Below what.
    pub threshold: Option<Price>,
    /// How much at a time.
    pub amount: Option<Money>,
    /// More when the lead that waits costs more.
    pub cover_waiting_lead: Option<bool>,
    /// Attempts a day.
    pub most_a_day: Option<u32>,
}

impl Payments {
    /// How this wallet is recharged.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Database`].
    pub async fn recharge_settings(&self, tenant: SellerId, buyer: BuyerId) -> Result<(Recharge, Wallet), AppError> {
        let mut tx = self.billing.tenants.begin(tenant).await?;
        let wallet = wallets::find(&mut tx, tenant, buyer).await?.ok_or(AppError::NoSuchWallet)?;
        Ok((recharges::find(&mut tx, tenant, buyer).await?, wallet))
    }

    /// Changes it, and looks at the wallet at once when it is low.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Currency`]; [`PaymentError::NoCard`] when it would be on without a card;
    /// [`PaymentError::Bounds`] and [`PaymentError::Setting`]; [`AppError::Database`].
    pub async fn configure_recharge(
        &self,
        actor: Actor,
        tenant: SellerId,
        buyer: BuyerId,
        change: RechargeChange,
    ) -> Result<(Recharge, Wallet), AppError> {
        let mut tx = self.billing.tenants.begin(tenant).await?;
        let before = (Self::lock_wallet(&mut tx, tenant, buyer).await?, recharges::find(&mut tx, tenant, buyer).await?);
        let (wallet, mut recharge) = (before.0, before.1.clone());
        let mut books = Books::new([wallet], []);
        if let Some(threshold) = change.threshold {
            if threshold.money().currency() != wallet.terms.currency {
                return Err(AppError::Currency);
            }
            books.set_low_balance_threshold(tenant, buyer, threshold);
        }
        if let Some(amount) = change.amount {
            if amount.currency() != wallet.terms.currency {
                return Err(AppError::Currency);
            }
            if !self.policy.bounds.allow(amount) {
                return Err(PaymentError::Bounds(self.policy.bounds).into());
            }
            recharge.amount = amount.amount();
        }
        if let Some(most) = change.most_a_day {
            if !(1..=MOST_A_DAY).contains(&most) {
                return Err(PaymentError::Setting("most_a_day: must be 1 to 20").into());
            }
            recharge.most_a_day = most;
        }
        recharge.cover_waiting_lead = change.cover_waiting_lead.unwrap_or(recharge.cover_waiting_lead);
        if let Some(enabled) = change.enabled {
            if enabled && !before.1.enabled {
                cards::chosen(&mut tx, tenant, buyer, "").await?.ok_or(PaymentError::NoCard)?;
            }
            recharge.switch(enabled);
        }
        let wallet = books.wallet(tenant, buyer).copied().unwrap_or(wallet);
        if recharge.enabled && recharge.amount.is_zero() {
            return Err(PaymentError::Setting("amount: must be set before recharging is turned on").into());
        }
        if recharge.enabled && wallet.low_balance_threshold.is_zero() && !recharge.cover_waiting_lead {
            return Err(
                PaymentError::Setting("threshold: must be more than zero before recharging is turned on").into()
            );
        }
        let after = (wallet, recharge);
        if after != before {
            recharges::save(&mut tx, &after.1).await?;
            let now = self.now();
            let shown = |(wallet, recharge): &(Wallet, Recharge)| shown(wallet, recharge);
            let change = Change::new("recharge.configured", buyer).by(actor).from(shown(&before)).to(shown(&after));
            TRAIL.write(&mut tx, Some(tenant), now, change).await?;
            if after.1.enabled && after.0.is_low() {
                recharges::look_at(&mut tx, &[buyer], now).await?;
            }
            self.billing.commit_tenant(tx, &books.into_changes(), Vec::new()).await?;
        }
        Ok((after.1, after.0))
    }

    /// For a transaction that takes a buyer's last card away, or gives his money back: recharging is turned off, and he is told. The event to
    /// publish; `None` when it was off. The wallet must be locked.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn turn_off_recharge(
        &self,
        tx: &mut TenantTx,
        tenant: SellerId,
        buyer: BuyerId,
        because: &str,
    ) -> Result<Option<Envelope>, sqlx::Error> {
        let mut recharge = recharges::find(tx, tenant, buyer).await?;
        if !recharge.turn_off(because) {
            return Ok(None);
        }
        recharges::save(tx, &recharge).await?;
        Ok(Some(Envelope::new(EventId::new(), &events::recharge_turned_off(&recharge), self.now())))
    }
}

fn shown(wallet: &Wallet, recharge: &Recharge) -> Value {
    json!({
        "enabled": recharge.enabled,
        "threshold": format!("{:.2}", wallet.low_balance_threshold),
        "amount": format!("{:.2}", recharge.amount),
        "coverWaitingLead": recharge.cover_waiting_lead,
        "mostADay": recharge.most_a_day,
    })
}
