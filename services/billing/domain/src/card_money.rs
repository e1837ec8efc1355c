//! What card money does to a wallet. Every movement is one posting with one line on the wallet's statement. What a card takes back
//! although it was spent is owed: the wallet never goes below zero, and what is held stays covered.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, Money, PaymentId, PostingId, SellerId};
use rust_decimal::Decimal;

use crate::{Account, AccountKind, Books, Entry, PaymentKind, Posting, PostingKind, Wallet, WalletLine};

/// What a movement of card money is booked on, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardMove {
    /// The tenant.
    pub seller: SellerId,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// Whose money it is.
    pub payment: PaymentId,
    /// The id of the posting it makes.
    pub posting: PostingId,
    /// When.
    pub now: DateTime<Utc>,
}

/// Why card money could not be booked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardMoneyError {
    /// The tenant has no such wallet.
    #[error("the tenant has no wallet of this buyer")]
    UnknownWallet,
    /// Zero or less.
    #[error("the amount must be more than zero")]
    NotPositive,
    /// The wallet has less than that to spend.
    #[error("only {0} of the balance is unspent")]
    Unspent(Decimal),
    /// Another currency than the wallet's, or a balance beyond what money can express.
    #[error(transparent)]
    Money(#[from] leadflow_kernel::MoneyError),
}

impl Books {
    /// A card paid `amount` into the wallet.
    ///
    /// # Errors
    /// [`CardMoneyError`].
    pub fn charged(
        &mut self,
        it: CardMove,
        kind: PaymentKind,
        amount: Money,
        description: String,
    ) -> Result<(), CardMoneyError> {
        let kind = match kind {
            PaymentKind::TopUp => PostingKind::TopUp(it.payment),
            PaymentKind::Recharge => PostingKind::Recharge(it.payment),
        };
        let amount = self.checked(it, amount)?;
        self.move_card_money(it, kind, amount, description, &[(AccountKind::CardClearing, -amount)]);
        Ok(())
    }

    /// `amount` leaves the wallet for the card it came from.
    ///
    /// # Errors
    /// [`CardMoneyError`]; [`CardMoneyError::Unspent`] when the wallet has less to spend.
    pub fn refunded(&mut self, it: CardMove, amount: Money, description: String) -> Result<(), CardMoneyError> {
        let available = self.wallet(it.seller, it.buyer).ok_or(CardMoneyError::UnknownWallet)?.available();
        let amount = self.checked(it, amount)?;
        if amount > available {
            return Err(CardMoneyError::Unspent(available));
        }
        let kind = PostingKind::CardRefund(it.payment);
        self.move_card_money(it, kind, -amount, description, &[(AccountKind::CardClearing, amount)]);
        Ok(())
    }

    /// `amount` went back to the card without us: what the wallet cannot give is owed.
    ///
    /// # Errors
    /// [`CardMoneyError`].
    pub fn refunded_elsewhere(&mut self, it: CardMove, amount: Money, text: String) -> Result<(), CardMoneyError> {
        self.take_or_owe(it, PostingKind::CardRefund(it.payment), amount, text, AccountKind::CardClearing)
    }

    /// A refund of `amount` did not arrive: it is in the wallet again.
    ///
    /// # Errors
    /// [`CardMoneyError`].
    pub fn refund_failed(&mut self, it: CardMove, amount: Money, description: String) -> Result<(), CardMoneyError> {
        let amount = self.checked(it, amount)?;
        let kind = PostingKind::CardRefundFailed(it.payment);
        self.move_card_money(it, kind, amount, description, &[(AccountKind::CardClearing, -amount)]);
        Ok(())
    }

    /// A charge is disputed: `amount` is set aside, as far as the wallet can give it; the rest is owed. With `suspend`, the wallet takes
    /// no new holds until all its disputes are decided and nothing is owed.
    ///
    /// # Errors
    /// [`CardMoneyError`].
    pub fn dispute_opened(
        &mut self,
        it: CardMove,
        amount: Money,
        suspend: bool,
        text: String,
    ) -> Result<(), CardMoneyError> {
        self.take_or_owe(it, PostingKind::Dispute(it.payment), amount, text, AccountKind::Disputed)?;
        if let Some(wallet) = self.wallet_mut(it.seller, it.buyer) {
            wallet.open_disputes += 1;
            wallet.suspended |= suspend;
        }
        Ok(())
    }

    /// A dispute was decided: what was set aside is in the wallet again, or gone.
    ///
    /// # Errors
    /// [`CardMoneyError`].
    pub fn dispute_closed(
        &mut self,
        it: CardMove,
        amount: Money,
        won: bool,
        text: String,
    ) -> Result<(), CardMoneyError> {
        let amount = self.checked(it, amount)?;
        let kind = PostingKind::DisputeClosed(it.payment);
        if won {
            self.move_card_money(it, kind, amount, text, &[(AccountKind::Disputed, -amount)]);
        } else {
            let gone = [(AccountKind::Disputed, -amount), (AccountKind::CardClearing, amount)];
            self.move_card_money(it, kind, Decimal::ZERO, text, &gone);
        }
        if let Some(wallet) = self.wallet_mut(it.seller, it.buyer) {
            wallet.open_disputes = wallet.open_disputes.saturating_sub(1);
            wallet.reconsider_suspension();
        }
        Ok(())
    }

    /// Pays what the buyer owes, as far as there is money to spend; to be called after whatever brought some. Returns how much that was.
    pub fn repay_debt(&mut self, seller: SellerId, buyer: BuyerId, posting: PostingId, now: DateTime<Utc>) -> Decimal {
        let Some(wallet) = self.wallet_mut(seller, buyer) else { return Decimal::ZERO };
        let repaid = wallet.debt.min(wallet.available());
        if repaid <= Decimal::ZERO {
            return Decimal::ZERO;
        }
        wallet.debt -= repaid;
        wallet.reconsider_suspension();
        let line = take_line(wallet, -repaid);
        let owed = Account { kind: AccountKind::BuyerDebt, seller, buyer: Some(buyer) };
        self.write(Posting {
            id: posting,
            kind: PostingKind::DebtRepaid,
            seller,
            at: now,
            description: "Repayment of what a card took back".to_owned(),
            entries: vec![
                Entry { account: Account::wallet(seller, buyer), amount: -repaid, wallet: Some(line) },
                Entry { account: owed, amount: repaid, wallet: None },
            ],
        });
        repaid
    }

    fn checked(&self, it: CardMove, amount: Money) -> Result<Decimal, CardMoneyError> {
        let wallet = self.wallet(it.seller, it.buyer).ok_or(CardMoneyError::UnknownWallet)?;
        if !amount.is_positive() {
            return Err(CardMoneyError::NotPositive);
        }
        Money::new(wallet.balance, wallet.terms.currency)?.try_add(amount)?;
        Ok(amount.amount())
    }

    fn take_or_owe(
        &mut self,
        it: CardMove,
        kind: PostingKind,
        amount: Money,
        text: String,
        to: AccountKind,
    ) -> Result<(), CardMoneyError> {
        let amount = self.checked(it, amount)?;
        let Some(wallet) = self.wallet_mut(it.seller, it.buyer) else { return Err(CardMoneyError::UnknownWallet) };
        let taken = amount.min(wallet.available());
        let owed = amount - taken;
        wallet.debt += owed;
        self.move_card_money(it, kind, Decimal::ZERO - taken, text, &[(AccountKind::BuyerDebt, -owed), (to, amount)]);
        Ok(())
    }

    /// Moves `amount` on the wallet against `others`, which sum to minus that.
    fn move_card_money(
        &mut self,
        it: CardMove,
        kind: PostingKind,
        amount: Decimal,
        description: String,
        others: &[(AccountKind, Decimal)],
    ) {
        let Some(wallet) = self.wallet_mut(it.seller, it.buyer) else { return };
        let line = take_line(wallet, amount);
        let mut entries = vec![Entry { account: Account::wallet(it.seller, it.buyer), amount, wallet: Some(line) }];
        for (kind, amount) in others {
            if !amount.is_zero() {
                let buyer = (*kind == AccountKind::BuyerDebt).then_some(it.buyer);
                let account = Account { kind: *kind, seller: it.seller, buyer };
                entries.push(Entry { account, amount: *amount, wallet: None });
            }
        }
        self.write(Posting { id: it.posting, kind, seller: it.seller, at: it.now, description, entries });
    }
}

/// Changes the balance and takes the next line of the statement for it.
fn take_line(wallet: &mut Wallet, amount: Decimal) -> WalletLine {
    wallet.balance += amount;
    wallet.lines += 1;
    WalletLine { number: wallet.lines, balance_after: wallet.balance }
}

/// The accounts that card money of a buyer may be booked on, besides his wallet.
#[must_use]
pub const fn card_accounts(seller: SellerId, buyer: BuyerId) -> [Account; 3] {
    [
        Account::of_seller(AccountKind::CardClearing, seller),
        Account::of_seller(AccountKind::Disputed, seller),
        Account { kind: AccountKind::BuyerDebt, seller, buyer: Some(buyer) },
    ]
}
