//! A hold: the price of one assignment, reserved on one wallet.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, Money, PostingId, SellerId};
use rust_decimal::Decimal;

/// An amount that cannot be negative: what a buyer is asked to pay, or a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price(Money);

/// Why an amount cannot be a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Selling at a negative price would pay the buyer.
    #[error("a price must not be negative")]
    Negative,
}

impl Price {
    /// `money` as a price.
    ///
    /// # Errors
    /// [`PriceError::Negative`] below zero.
    pub fn new(money: Money) -> Result<Self, PriceError> {
        if money.is_negative() { Err(PriceError::Negative) } else { Ok(Self(money)) }
    }

    /// The amount with its currency.
    #[must_use]
    pub const fn money(self) -> Money {
        self.0
    }

    /// Major units, two decimals.
    #[must_use]
    pub const fn amount(self) -> Decimal {
        self.0.amount()
    }
}

/// Where a hold is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    /// Reserved; counts in the wallet's held sum.
    Held,
    /// Paid; final.
    Captured,
    /// Given back; the same assignment may place it again.
    Released,
}

/// One reservation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The assignment it pays for.
    pub id: AssignmentId,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// The lead that is sold.
    pub lead: LeadId,
    /// The campaign that sells it.
    pub campaign: CampaignId,
    /// Major units of the wallet's currency, zero or more.
    pub amount: Decimal,
    /// Where it is in its life.
    pub state: HoldState,
    /// How often it was placed. Whoever releases compares it with what he saw before, so that a
    /// hold placed again in the meantime is left alone.
    pub attempts: u32,
    /// The last time it was placed.
    pub placed_at: DateTime<Utc>,
    /// The week it counts in.
    pub week_start: NaiveDate,
    /// The month it counts in.
    pub month_start: NaiveDate,
    /// When it was captured or released.
    pub ended_at: Option<DateTime<Utc>>,
    /// The posting that captured it.
    pub posting: Option<PostingId>,
}

/// "Reserve this price for this assignment."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest {
    /// The assignment's id; the same id asked twice reserves once.
    pub id: AssignmentId,
    /// The tenant that asks.
    pub seller: SellerId,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// The lead to be sold.
    pub lead: LeadId,
    /// The campaign that sells it.
    pub campaign: CampaignId,
    /// How much.
    pub price: Price,
}

/// The answer to a [`HoldRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOutcome {
    /// Reserved (now or before).
    Held,
    /// Balance less what is held does not cover the price.
    InsufficientFunds,
    /// The week's spending would pass its limit.
    WeeklyLimit,
    /// The month's spending would pass its limit.
    MonthlyLimit,
    /// The tenant has no such wallet, it takes no new holds, its currency is another one, or the
    /// hold's id belongs to somebody else.
    WalletBlocked,
    /// The assignment was paid before.
    AlreadyCaptured,
}
