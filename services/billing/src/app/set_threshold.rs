//! Choosing when low balance is told.

use leadflow_billing_domain::{Books, Price, Wallet};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_platform::audit::Change;
use serde_json::json;

use super::{Actor, AppError, Billing, TRAIL};
use crate::store::{recharges, wallets};

impl Billing {
    /// Sets below which amount of available money the buyer is told (zero: never), and tells it at once if that is
    /// so now and was not before.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Currency`], [`AppError::Database`].
    pub async fn set_low_balance_threshold(
        &self,
        actor: Actor,
        tenant: SellerId,
        buyer: BuyerId,
        threshold: Price,
    ) -> Result<Wallet, AppError> {
        let mut transaction = self.tenants.begin(tenant).await?;
        let mut books = Books::new(wallets::lock(&mut transaction, Some(tenant), [buyer]).await?, []);
        let before = *books.wallet(tenant, buyer).ok_or(AppError::NoSuchWallet)?;
        if threshold.money().currency() != before.terms.currency {
            return Err(AppError::Currency);
        }
        books.set_low_balance_threshold(tenant, buyer, threshold);
        let wallet = *books.wallet(tenant, buyer).ok_or(AppError::NoSuchWallet)?;
        if wallet.low_balance_threshold != before.low_balance_threshold {
            let value =
                |wallet: &Wallet| json!({"lowBalanceThreshold": format!("{:.2}", wallet.low_balance_threshold)});
            let change = Change::new("wallet.threshold_set", buyer).by(actor).from(value(&before)).to(value(&wallet));
            TRAIL.write(&mut transaction, Some(tenant), self.clock.now(), change).await?;
            if wallet.is_low() {
                // Also where it was low before, which tells nobody anew.
                recharges::look_at(&mut transaction, &[buyer], self.clock.now()).await?;
            }
        }
        self.commit_tenant(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(wallet)
    }
}
