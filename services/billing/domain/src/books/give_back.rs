//! Undoing a sale: what its posting booked, the other way round. Not by today's fee: the shares are those that were booked.

use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, Money, MoneyError, PostingId, SellerId};
use rust_decimal::Decimal;

use super::{Books, counted_in};
use crate::{Account, AccountKind, Entry, HoldState, Posting, PostingKind, WalletLine};

/// A sale as its posting booked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidSale {
    /// What was paid for.
    pub assignment: AssignmentId,
    /// The tenant.
    pub seller: SellerId,
    /// Who paid.
    pub buyer: BuyerId,
    /// What his wallet paid, major units, zero or more.
    pub price: Decimal,
    /// What the tenant's own accounts got of it; together the price. Major units.
    pub shares: Vec<(AccountKind, Decimal)>,
}

/// Why a sale could not be undone. Nothing was changed for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GiveBackError {
    /// The tenant has no such wallet.
    #[error("the tenant has no wallet of this buyer")]
    UnknownWallet,
    /// The sale was not paid like that.
    #[error("the sale was not paid by this wallet at this price")]
    NotPaid,
    /// A balance beyond what money can express.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Books {
    /// Gives the price of a sale back to its wallet, and takes the tenant's shares of it back; those accounts may go below zero. What
    /// the sale counts as spent is taken back where its week or month is still the wallet's. The hold stays captured: it explains the
    /// first posting. Whether the sale was undone before is for the caller to know.
    ///
    /// # Errors
    /// [`GiveBackError`]; nothing was changed.
    pub fn give_back(
        &mut self,
        sale: &PaidSale,
        description: String,
        posting: PostingId,
        now: DateTime<Utc>,
    ) -> Result<(), GiveBackError> {
        let hold = self.hold(sale.assignment).ok_or(GiveBackError::NotPaid)?;
        let (state, of, amount, counted) = (hold.state, (hold.seller, hold.buyer), hold.amount, counted_in(hold));
        let shared: Decimal = sale.shares.iter().map(|(_, share)| *share).sum();
        if state != HoldState::Captured || of != (sale.seller, sale.buyer) || amount != sale.price || shared != amount {
            return Err(GiveBackError::NotPaid);
        }
        let wallet = self.wallet_mut(sale.seller, sale.buyer).ok_or(GiveBackError::UnknownWallet)?;
        let price = Money::new(sale.price, wallet.terms.currency)?;
        wallet.balance = Money::new(wallet.balance, wallet.terms.currency)?.try_add(price)?.amount();
        wallet.unspend(sale.price, counted);
        wallet.lines += 1;
        let line = WalletLine { number: wallet.lines, balance_after: wallet.balance };
        let account = Account::wallet(sale.seller, sale.buyer);
        let mut entries = vec![Entry { account, amount: sale.price, wallet: Some(line) }];
        entries.extend(sale.shares.iter().filter(|(_, share)| !share.is_zero()).map(|(kind, share)| Entry {
            account: Account::of_seller(*kind, sale.seller),
            amount: -*share,
            wallet: None,
        }));
        self.postings.push(Posting {
            id: posting,
            kind: PostingKind::LeadReturn(sale.assignment),
            seller: sale.seller,
            at: now,
            description,
            entries,
        });
        Ok(())
    }
}
