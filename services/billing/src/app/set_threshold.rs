//! Choosing when low balance is told.

use leadflow_billing_domain::{Books, Price, Wallet};
use leadflow_kernel::{BuyerId, SellerId};

use super::{AppError, Billing};
use crate::store::wallets;

impl Billing {
    /// Sets below which amount of available money the buyer is told (zero: never), and tells it at once if that is
    /// so now and was not before.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Currency`], [`AppError::Database`].
    pub async fn set_low_balance_threshold(
        &self,
        tenant: SellerId,
        buyer: BuyerId,
        threshold: Price,
    ) -> Result<Wallet, AppError> {
        let mut transaction = self.tenants.begin(tenant).await?;
        let mut books = Books::new(wallets::lock(&mut transaction, Some(tenant), [buyer]).await?, []);
        let currency = books.wallet(tenant, buyer).ok_or(AppError::NoSuchWallet)?.terms.currency;
        if threshold.money().currency() != currency {
            return Err(AppError::Currency);
        }
        books.set_low_balance_threshold(tenant, buyer, threshold);
        let wallet = *books.wallet(tenant, buyer).ok_or(AppError::NoSuchWallet)?;
        self.commit_tenant(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(wallet)
    }
}
