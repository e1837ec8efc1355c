//! Card payments: what is asked of the provider, and how its news is booked. The provider is never asked inside a transaction: what is
//! wanted is written and committed first, under an id that is the provider's idempotency key; then it is asked; then its
//! answer is booked, like any other news.

mod attempts;
mod charge;
mod configure_recharge;
mod foreign_refunds;
mod news;
mod order_refund;
mod recharge;
mod refund_balance;
mod settle;
mod settle_dispute;
mod settle_refund;
mod top_up;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_billing_domain::{Account, Bounds, RefundError, Wallet, card_accounts};
use leadflow_kernel::{BuyerId, CardId, Currency, PaymentId, RefundId, SellerId};
use leadflow_platform::db::TenantTx;

pub use attempts::CardAttempts;
pub use configure_recharge::RechargeChange;
pub use leadflow_billing_domain::DisputeState;
pub use news::{DisputeNews, Heard, ProviderNews, RefundNews};
pub use recharge::Looked;
pub use refund_balance::{NewRefund, Refunded};
pub use top_up::{NewTopUp, PaymentView};

use super::{AppError, Billing};
use crate::{
    outbound::{provider::PaymentProvider, records::ProviderRecords},
    store::{
        directory::{self},
        payments, refunds, wallets,
    },
};

/// How long whoever wrote a payment has to ask the provider, before a worker does.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// How long an idempotency key is good for; the provider forgets them after a day.
const KEY_LASTS: TimeDelta = TimeDelta::hours(23);

/// A card that can be charged, as `store::cards` knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Ours.
    pub id: CardId,
    /// `cus_…`: whose it is on the provider's side.
    pub customer: String,
    /// `pm_…`
    pub payment_method: String,
}

/// What is settled about card payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The smallest and largest charge.
    pub bounds: Bounds,
    /// A disputed payment keeps its wallet from buying.
    pub suspend_on_dispute: bool,
    /// How long a card's owner has to confirm a charge.
    pub confirm_within: TimeDelta,
    /// How often a buyer may try cards.
    pub card_attempts: CardAttempts,
}

/// Carries out what has to do with card payments. Cheap to clone.
#[derive(Clone)]
pub struct Payments {
    billing: Billing,
    provider: Arc<dyn PaymentProvider>,
    records: Arc<dyn ProviderRecords>,
    policy: Policy,
}

/// Why a command about card payments was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// No such payment in this tenant.
    #[error("no such payment")]
    NoSuchPayment,
    /// The request's id was used for another buyer, amount or card.
    #[error("a payment with this request_id exists, for another buyer, amount or card")]
    PaymentExists,
    /// The buyer has no such card.
    #[error("the buyer has no such card")]
    NoSuchCard,
    /// The buyer has as many cards as he may.
    #[error("the buyer has as many cards as he may have")]
    TooManyCards,
    /// The buyer has tried too many cards within an hour.
    #[error("too many cards were tried; try again in {seconds} seconds")]
    TooManyAttempts {
        /// When he may try again; more than zero.
        seconds: u32,
    },
    /// The buyer has no card at all.
    #[error("the buyer has no card")]
    NoCard,
    /// Less or more than may be charged at once.
    #[error("amount: must be {} to {}", .0.least, .0.most)]
    Bounds(Bounds),
    /// It cannot be given back.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// The request's id was used for another buyer or amount.
    #[error("a refund with this request_id exists, for another buyer or amount")]
    RefundExists,
    /// Settings that make no sense.
    #[error("{0}")]
    Setting(&'static str),
}

impl Payments {
    /// Over `billing`'s wallets, charging cards through `provider`, whose records are `records`.
    #[must_use]
    pub const fn new(
        billing: Billing,
        provider: Arc<dyn PaymentProvider>,
        records: Arc<dyn ProviderRecords>,
        policy: Policy,
    ) -> Self {
        Self { billing, provider, records, policy }
    }

    /// The wallets.
    #[must_use]
    pub const fn billing(&self) -> &Billing {
        &self.billing
    }

    fn now(&self) -> DateTime<Utc> {
        self.billing.clock.now()
    }

    /// Opens the ledger accounts that card money of this wallet is booked on, where they are missing.
    async fn open_accounts(tx: &mut TenantTx, wallet: &Wallet) -> Result<(), sqlx::Error> {
        let accounts: Vec<(Account, Currency)> = card_accounts(wallet.seller, wallet.buyer)
            .into_iter()
            .map(|account| (account, wallet.terms.currency))
            .collect();
        directory::open_accounts(tx, &accounts).await
    }

    /// Locks the wallet.
    async fn lock_wallet(tx: &mut TenantTx, tenant: SellerId, buyer: BuyerId) -> Result<Wallet, AppError> {
        wallets::lock(tx, Some(tenant), [buyer]).await?.first().copied().ok_or(AppError::NoSuchWallet)
    }

    /// The provider is asked about this payment again, later each time.
    async fn ask_again(&self, id: PaymentId, attempts: u32) -> Result<(), AppError> {
        let mut connection = self.billing.pool.acquire().await?;
        Ok(payments::ask_again(&mut connection, id, self.now() + pause(attempts)).await?)
    }

    /// The provider is asked about this refund again, later each time.
    async fn ask_again_about_refund(&self, id: RefundId, attempts: u32) -> Result<(), AppError> {
        let mut connection = self.billing.pool.acquire().await?;
        Ok(refunds::ask_again(&mut connection, id, self.now() + pause(attempts)).await?)
    }
}

/// How long to leave the provider alone after so many attempts.
fn pause(attempts: u32) -> TimeDelta {
    TimeDelta::seconds(5 << attempts.min(7))
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn the_provider_is_asked_within_seconds_at_first_and_every_ten_minutes_at_last() {
        let pauses: Vec<i64> = [0, 1, 2, 7, 100].into_iter().map(|attempts| pause(attempts).num_seconds()).collect();
        assert_eq!(pauses, [5, 10, 20, 640, 640]);
    }
}
