//! A wallet: what a buyer has, what is reserved, and what he spent in the current windows.

use chrono::NaiveDate;
use chrono_tz::Tz;
use leadflow_kernel::{BuyerId, Currency, SellerId};
use rust_decimal::Decimal;

use crate::{HoldOutcome, Period};

/// What a seller's tenancy fixes for all of its wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The one currency of all wallets and prices.
    pub currency: Currency,
    /// Where weeks and months begin.
    pub time_zone: Tz,
    /// Percent of each sale that the platform keeps, 0 to 100.
    pub fee_percent: Decimal,
}

/// What was spent (open holds included) in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The first day of the window.
    pub start: NaiveDate,
    /// Major units, zero or more.
    pub amount: Decimal,
}

impl Spent {
    /// What counts in the window that starts at `start`. A window before the stored one counts as
    /// the stored one: clocks of two replicas may differ around midnight, and a window that was
    /// opened is never gone back from.
    #[must_use]
    pub fn in_window(self, start: NaiveDate) -> Decimal {
        if start > self.start { Decimal::ZERO } else { self.amount }
    }

    /// Counts `amount` and tells in which window.
    fn add(&mut self, start: NaiveDate, amount: Decimal) -> NaiveDate {
        self.amount = self.in_window(start) + amount;
        self.start = self.start.max(start);
        self.start
    }

    /// Takes back what was counted in the window `start`, if that window is still the current one.
    fn take_back(&mut self, start: NaiveDate, amount: Decimal) {
        if start == self.start {
            self.amount -= amount;
        }
    }
}

/// A buyer's money with one seller. Amounts are major units of `terms.currency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// Whose.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// The tenant's currency, calendar and fee.
    pub terms: Terms,
    /// False: no new holds (the buyer is paused or archived); holds that stand are still paid.
    pub open: bool,
    /// True: no new holds while a card's payment is disputed; holds that stand are still paid.
    pub suspended: bool,
    /// What is there, held sums included. Never negative.
    pub balance: Decimal,
    /// The sum of open holds. Never above the balance.
    pub held: Decimal,
    /// Spending in the ISO week.
    pub week: Spent,
    /// Spending in the calendar month.
    pub month: Spent,
    /// `None` is unlimited, zero allows nothing.
    pub weekly_limit: Option<Decimal>,
    /// `None` is unlimited, zero allows nothing.
    pub monthly_limit: Option<Decimal>,
    /// Below this the buyer is told (and recharged); zero is never.
    pub low_balance_threshold: Decimal,
    /// What the buyer owes because a card took back what he had spent; zero or more.
    pub debt: Decimal,
    /// Disputes of his payments that are not decided.
    pub open_disputes: u32,
    /// How many lines the statement has; numbers the next one.
    pub lines: i64,
}

impl Wallet {
    /// What can still be reserved.
    #[must_use]
    pub fn available(&self) -> Decimal {
        self.balance - self.held
    }

    /// Available money is below the threshold.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.available() < self.low_balance_threshold
    }

    /// The same, or nothing is available: then whatever waits makes it charge a card.
    #[must_use]
    pub fn is_low_or_empty(&self) -> bool {
        self.is_low() || self.available().is_zero()
    }

    /// Whether new holds may be placed at all.
    #[must_use]
    pub const fn takes_holds(&self) -> bool {
        self.open && !self.suspended
    }

    /// Whether nothing but money is missing to reserve `amount`.
    #[must_use]
    pub fn lacks_only_money(&self, amount: Decimal, now: Period) -> bool {
        amount > self.available() && Self { balance: self.held + amount, ..*self }.refusal(amount, now).is_none()
    }

    /// Why `amount` cannot be reserved now; `None` when it can. A free lead spends nothing, so no
    /// limit stops it.
    #[must_use]
    pub fn refusal(&self, amount: Decimal, now: Period) -> Option<HoldOutcome> {
        let passes = |spent: Spent, start, limit: Option<Decimal>| {
            limit.is_some_and(|limit| amount > Decimal::ZERO && spent.in_window(start) + amount > limit)
        };
        if !self.takes_holds() {
            Some(HoldOutcome::WalletBlocked)
        } else if amount > self.available() {
            Some(HoldOutcome::InsufficientFunds)
        } else if passes(self.week, now.week_start, self.weekly_limit) {
            Some(HoldOutcome::WeeklyLimit)
        } else if passes(self.month, now.month_start, self.monthly_limit) {
            Some(HoldOutcome::MonthlyLimit)
        } else {
            None
        }
    }

    /// A suspension ends when all disputes are decided and nothing is owed.
    pub(crate) fn reconsider_suspension(&mut self) {
        if self.open_disputes == 0 && self.debt.is_zero() {
            self.suspended = false;
        }
    }

    /// Reserves and counts as spent; tells in which windows it counts.
    pub(crate) fn reserve(&mut self, amount: Decimal, now: Period) -> Period {
        self.held += amount;
        Period {
            week_start: self.week.add(now.week_start, amount),
            month_start: self.month.add(now.month_start, amount),
        }
    }

    /// Takes back what a paid hold that counted in `counted_in` counts as spent.
    pub(crate) fn unspend(&mut self, amount: Decimal, counted_in: Period) {
        self.week.take_back(counted_in.week_start, amount);
        self.month.take_back(counted_in.month_start, amount);
    }

    /// Undoes [`Wallet::reserve`] of a hold that counted in `counted_in`.
    pub(crate) fn give_back(&mut self, amount: Decimal, counted_in: Period) {
        self.held -= amount;
        self.week.take_back(counted_in.week_start, amount);
        self.month.take_back(counted_in.month_start, amount);
    }
}
