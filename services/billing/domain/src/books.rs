//! The decisions, on wallets and holds that were loaded under lock.

mod give_back;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, Money, MoneyError, PostingId, SellerId};
use rust_decimal::Decimal;

use crate::{
    Account, AccountKind, Entry, Hold, HoldOutcome, HoldRequest, HoldState, Period, Posting, PostingKind, Price,
    Wallet, WalletLine,
};

pub use give_back::{GiveBackError, PaidSale};

/// "This assignment was made: take the money."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// The assignment; also the hold's id.
    pub assignment: AssignmentId,
    /// The tenant.
    pub seller: SellerId,
    /// Who pays.
    pub buyer: BuyerId,
    /// The lead that was sold.
    pub lead: LeadId,
    /// The campaign that sold it.
    pub campaign: CampaignId,
    /// What it costs.
    pub price: Price,
    /// In words, for the statement.
    pub description: String,
}

/// How a [`Sale`] was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Captured {
    /// Now, from its hold.
    FromHold,
    /// Now, from free money: the hold was missing, released or of another amount. Should never be
    /// seen; worth a warning.
    WithoutHold,
    /// Before; nothing changed.
    Before,
}

/// Why a [`Sale`] could not be paid. Nothing was changed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The tenant has no such wallet.
    #[error("the tenant has no wallet of this buyer")]
    UnknownWallet,
    /// The assignment's id belongs to another wallet's hold.
    #[error("the hold belongs to another wallet")]
    ForeignHold,
    /// The price is in another currency than the wallet.
    #[error("the price is in another currency than the wallet")]
    Currency,
    /// No hold stands for it, and the wallet has not enough free money.
    #[error("no hold stands for the sale and the wallet cannot pay it")]
    InsufficientFunds,
    /// The fee could not be computed.
    #[error("fee: {0}")]
    Fee(&'static str),
}

/// Why money could not be added. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    /// The tenant has no such wallet.
    #[error("the tenant has no wallet of this buyer")]
    UnknownWallet,
    /// Zero or less.
    #[error("a credit must be more than zero")]
    NotPositive,
    /// Another currency than the wallet's, or a balance beyond what money can express.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Available money fell below the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowBalance {
    /// The wallet, as it is now.
    pub wallet: Wallet,
}

/// Holds were given back, or placed again at a lower price: there is more to spend than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// The wallet, as it is now.
    pub wallet: Wallet,
    /// What the holds that stood before reserve less than they did. Major units, more than zero.
    pub amount: Decimal,
}

/// What has to be saved, all of it in one transaction.
#[derive(Debug, Default)]
pub struct Changes {
    /// Wallets that differ from what was loaded, by id.
    pub wallets: Vec<Wallet>,
    /// Holds that were not there when the books were loaded, by id.
    pub new_holds: Vec<Hold>,
    /// Holds that differ from what was loaded, by id.
    pub changed_holds: Vec<Hold>,
    /// New postings, in the order made.
    pub postings: Vec<Posting>,
    /// Downward crossings to tell. One for a wallet however often it crossed within the batch; none when it
    /// is at or above its threshold again.
    pub low_balances: Vec<LowBalance>,
    /// Wallets that take holds again: a suspension ended. By id.
    pub lifted: Vec<Wallet>,
    /// Wallets with more to spend because holds were given back, by id: somebody may be waiting for it.
    pub freed: Vec<Freed>,
}

struct Slot<T> {
    loaded: Option<T>,
    now: T,
}

/// Wallets and holds of one transaction, with everything decided so far: each decision sees the
/// ones before it, so a wallet is never promised twice within a batch.
#[derive(Default)]
pub struct Books {
    wallets: BTreeMap<BuyerId, Slot<Wallet>>,
    holds: BTreeMap<AssignmentId, Slot<Hold>>,
    postings: Vec<Posting>,
}

impl Books {
    /// The books as loaded. All wallets must be locked, and the holds read after that.
    pub fn new(wallets: impl IntoIterator<Item = Wallet>, holds: impl IntoIterator<Item = Hold>) -> Self {
        Self {
            wallets: wallets
                .into_iter()
                .map(|wallet| (wallet.buyer, Slot { loaded: Some(wallet), now: wallet }))
                .collect(),
            holds: holds.into_iter().map(|hold| (hold.id, Slot { loaded: Some(hold.clone()), now: hold })).collect(),
            postings: Vec::new(),
        }
    }

    /// The wallet as it is after the decisions so far.
    #[must_use]
    pub fn wallet(&self, seller: SellerId, buyer: BuyerId) -> Option<&Wallet> {
        self.wallets.get(&buyer).map(|slot| &slot.now).filter(|wallet| wallet.seller == seller)
    }

    /// The hold as it is after the decisions so far.
    #[must_use]
    pub fn hold(&self, id: AssignmentId) -> Option<&Hold> {
        self.holds.get(&id).map(|slot| &slot.now)
    }

    /// Reserves a price, if the wallet can pay it and its limits allow.
    ///
    /// A hold that stands is answered again and its attempt counted; no check is made again. If the
    /// price has changed since, the old hold is given back first and the new price is decided anew.
    pub fn place(&mut self, request: &HoldRequest, now: DateTime<Utc>) -> HoldOutcome {
        if let Some(slot) = self.holds.get_mut(&request.id) {
            let hold = &mut slot.now;
            if hold.buyer != request.buyer || hold.seller != request.seller {
                return HoldOutcome::WalletBlocked;
            }
            match hold.state {
                HoldState::Captured => return HoldOutcome::AlreadyCaptured,
                HoldState::Held if hold.amount == request.price.amount() => {
                    hold.attempts += 1;
                    hold.placed_at = now;
                    return HoldOutcome::Held;
                }
                HoldState::Held => {
                    self.release(request.id, None, now);
                }
                HoldState::Released => {}
            }
        }
        let amount = request.price.amount();
        let Some(wallet) = self.wallet_mut(request.seller, request.buyer) else {
            return HoldOutcome::WalletBlocked;
        };
        if request.price.money().currency() != wallet.terms.currency {
            return HoldOutcome::WalletBlocked;
        }
        let period = Period::at(now, wallet.terms.time_zone);
        if let Some(refusal) = wallet.refusal(amount, period) {
            return refusal;
        }
        let counted_in = wallet.reserve(amount, period);
        self.put_hold(request, counted_in, now);
        HoldOutcome::Held
    }

    /// Gives a hold back. With `attempts`, only if it was not placed again since it had that many.
    /// True when it stood and is released now.
    pub fn release(&mut self, id: AssignmentId, attempts: Option<u32>, now: DateTime<Utc>) -> bool {
        let Some(slot) = self.holds.get_mut(&id) else { return false };
        let hold = &mut slot.now;
        if hold.state != HoldState::Held || attempts.is_some_and(|seen| seen != hold.attempts) {
            return false;
        }
        // A hold is always loaded together with its wallet; without it nothing may change.
        let Some(wallet) = self.wallets.get_mut(&hold.buyer) else { return false };
        wallet.now.give_back(hold.amount, counted_in(hold));
        hold.state = HoldState::Released;
        hold.ended_at = Some(now);
        true
    }

    /// Takes the money of a sale: from its hold, or, if that is missing, from free money. Spending
    /// limits and the wallet's status are not asked again: the sale has been made.
    ///
    /// # Errors
    /// [`CaptureError`]; nothing was changed for this sale.
    pub fn capture(&mut self, sale: &Sale, posting: PostingId, now: DateTime<Utc>) -> Result<Captured, CaptureError> {
        let price = sale.price.amount();
        let stands = match self.hold(sale.assignment) {
            Some(hold) if hold.buyer != sale.buyer || hold.seller != sale.seller => {
                return Err(CaptureError::ForeignHold);
            }
            Some(hold) if hold.state == HoldState::Captured => return Ok(Captured::Before),
            Some(hold) if hold.state == HoldState::Held => Some(hold.amount),
            _ => None,
        };
        let wallet = *self.wallet(sale.seller, sale.buyer).ok_or(CaptureError::UnknownWallet)?;
        if sale.price.money().currency() != wallet.terms.currency {
            return Err(CaptureError::Currency);
        }
        if price > wallet.available() + stands.unwrap_or_default() {
            return Err(CaptureError::InsufficientFunds);
        }
        let fee = sale
            .price
            .money()
            .percent(wallet.terms.fee_percent)
            .map_err(|_| CaptureError::Fee("out of range"))?
            .amount();
        if fee < Decimal::ZERO || fee > price {
            return Err(CaptureError::Fee("not between zero and the price"));
        }

        let from_hold = stands == Some(price);
        if !from_hold {
            self.release(sale.assignment, None, now);
            self.reserve_for_sale(sale, now);
        }
        self.pay(sale, fee, posting, now);
        Ok(if from_hold { Captured::FromHold } else { Captured::WithoutHold })
    }

    /// Adds money from outside to a wallet.
    ///
    /// # Errors
    /// [`CreditError`]; nothing was changed.
    pub fn credit(
        &mut self,
        seller: SellerId,
        buyer: BuyerId,
        amount: Money,
        description: String,
        posting: PostingId,
        now: DateTime<Utc>,
    ) -> Result<(), CreditError> {
        if !amount.is_positive() {
            return Err(CreditError::NotPositive);
        }
        let wallet = self.wallet_mut(seller, buyer).ok_or(CreditError::UnknownWallet)?;
        let balance = Money::new(wallet.balance, wallet.terms.currency)?.try_add(amount)?;
        wallet.balance = balance.amount();
        wallet.lines += 1;
        let line = WalletLine { number: wallet.lines, balance_after: wallet.balance };
        let funding = Account::of_seller(AccountKind::ExternalFunding, seller);
        self.postings.push(Posting {
            id: posting,
            kind: PostingKind::Credit,
            seller,
            at: now,
            description,
            entries: vec![
                Entry { account: Account::wallet(seller, buyer), amount: amount.amount(), wallet: Some(line) },
                Entry { account: funding, amount: -amount.amount(), wallet: None },
            ],
        });
        Ok(())
    }

    /// Sets below which amount of available money the buyer is told; zero is never. True when the
    /// tenant has such a wallet.
    pub fn set_low_balance_threshold(&mut self, seller: SellerId, buyer: BuyerId, threshold: Price) -> bool {
        let Some(wallet) = self.wallet_mut(seller, buyer) else { return false };
        wallet.low_balance_threshold = threshold.amount();
        true
    }

    /// What has to be saved.
    #[must_use]
    pub fn into_changes(self) -> Changes {
        let mut changes = Changes { postings: self.postings, ..Changes::default() };
        let mut freed: BTreeMap<BuyerId, Decimal> = BTreeMap::new();
        for Slot { loaded, now } in self.holds.values() {
            let Some(before) = loaded.as_ref().filter(|before| before.state == HoldState::Held) else { continue };
            let needed = if now.state == HoldState::Released { Decimal::ZERO } else { now.amount };
            if before.amount > needed {
                *freed.entry(before.buyer).or_default() += before.amount - needed;
            }
        }
        for Slot { loaded, now } in self.wallets.into_values() {
            if let Some(amount) = freed.remove(&now.buyer) {
                changes.freed.push(Freed { wallet: now, amount });
            }
            if now.is_low() && !loaded.is_some_and(|before| before.is_low()) {
                changes.low_balances.push(LowBalance { wallet: now });
            }
            if loaded.is_some_and(|before| before.suspended) && !now.suspended {
                changes.lifted.push(now);
            }
            if loaded != Some(now) {
                changes.wallets.push(now);
            }
        }
        for Slot { loaded, now } in self.holds.into_values() {
            match loaded {
                None => changes.new_holds.push(now),
                Some(before) if before != now => changes.changed_holds.push(now),
                Some(_) => {}
            }
        }
        changes
    }

    pub(crate) fn wallet_mut(&mut self, seller: SellerId, buyer: BuyerId) -> Option<&mut Wallet> {
        self.wallets.get_mut(&buyer).map(|slot| &mut slot.now).filter(|wallet| wallet.seller == seller)
    }

    pub(crate) fn write(&mut self, posting: Posting) {
        self.postings.push(posting);
    }

    /// Reserves without asking limits, for a sale that has been made; funds were checked.
    fn reserve_for_sale(&mut self, sale: &Sale, now: DateTime<Utc>) {
        let Some(wallet) = self.wallet_mut(sale.seller, sale.buyer) else { return };
        let period = Period::at(now, wallet.terms.time_zone);
        let counted_in = wallet.reserve(sale.price.amount(), period);
        let request = HoldRequest {
            id: sale.assignment,
            seller: sale.seller,
            buyer: sale.buyer,
            lead: sale.lead,
            campaign: sale.campaign,
            price: sale.price,
        };
        self.put_hold(&request, counted_in, now);
    }

    fn put_hold(&mut self, request: &HoldRequest, counted_in: Period, now: DateTime<Utc>) {
        let attempts = self.hold(request.id).map_or(0, |hold| hold.attempts);
        let hold = Hold {
            id: request.id,
            buyer: request.buyer,
            seller: request.seller,
            lead: request.lead,
            campaign: request.campaign,
            amount: request.price.amount(),
            state: HoldState::Held,
            attempts: attempts + 1,
            placed_at: now,
            week_start: counted_in.week_start,
            month_start: counted_in.month_start,
            ended_at: None,
            posting: None,
        };
        let loaded = self.holds.remove(&request.id).and_then(|slot| slot.loaded);
        self.holds.insert(request.id, Slot { loaded, now: hold });
    }

    /// Turns the hold of a sale, which stands at its price, into a posting.
    fn pay(&mut self, sale: &Sale, fee: Decimal, posting: PostingId, now: DateTime<Utc>) {
        let price = sale.price.amount();
        if let Some(slot) = self.holds.get_mut(&sale.assignment) {
            slot.now.state = HoldState::Captured;
            slot.now.ended_at = Some(now);
            slot.now.posting = Some(posting);
        }
        let Some(wallet) = self.wallet_mut(sale.seller, sale.buyer) else { return };
        wallet.held -= price;
        wallet.balance -= price;
        wallet.lines += 1;
        let line = WalletLine { number: wallet.lines, balance_after: wallet.balance };
        let mut entries = Vec::with_capacity(3);
        entries.push(Entry {
            account: Account::wallet(sale.seller, sale.buyer),
            // Not `-price`: of a free lead that would be a negative zero.
            amount: Decimal::ZERO - price,
            wallet: Some(line),
        });
        for (kind, amount) in [(AccountKind::SellerEarnings, price - fee), (AccountKind::PlatformFees, fee)] {
            if !amount.is_zero() {
                let account = Account::of_seller(kind, sale.seller);
                entries.push(Entry { account, amount, wallet: None });
            }
        }
        self.postings.push(Posting {
            id: posting,
            kind: PostingKind::LeadPurchase(sale.assignment),
            seller: sale.seller,
            at: now,
            description: sale.description.clone(),
            entries,
        });
    }
}

fn counted_in(hold: &Hold) -> Period {
    Period { week_start: hold.week_start, month_start: hold.month_start }
}
