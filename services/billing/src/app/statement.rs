//! Looking at a wallet.

use leadflow_billing_domain::{Account, Wallet};
use leadflow_kernel::{BuyerId, Currency, PostingId, SellerId};

use super::{AppError, Billing};
use crate::store::{
    statement::{self, Line},
    wallets,
};

/// A page of a statement, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The currency of every amount.
    pub currency: Currency,
    /// The lines.
    pub lines: Vec<Line>,
}

impl Billing {
    /// The wallet as it is at this moment.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Database`].
    pub async fn wallet(&self, tenant: SellerId, buyer: BuyerId) -> Result<Wallet, AppError> {
        let mut tx = self.tenants.begin(tenant).await?;
        wallets::find(&mut tx, tenant, buyer).await?.ok_or(AppError::NoSuchWallet)
    }

    /// Up to `limit` lines older than the line `before`, or the newest ones.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::NoSuchLine`], [`AppError::Database`].
    pub async fn statement(
        &self,
        tenant: SellerId,
        buyer: BuyerId,
        before: Option<PostingId>,
        limit: u32,
    ) -> Result<Page, AppError> {
        let mut tx = self.tenants.begin(tenant).await?;
        let wallet = wallets::find(&mut tx, tenant, buyer).await?.ok_or(AppError::NoSuchWallet)?;
        let account = Account::wallet(tenant, buyer);
        let before = match before {
            None => i64::MAX,
            Some(posting) => statement::number(&mut tx, account, posting).await?.ok_or(AppError::NoSuchLine)?,
        };
        let lines = statement::page(&mut tx, account, before, limit).await?;
        Ok(Page { currency: wallet.terms.currency, lines })
    }
}
