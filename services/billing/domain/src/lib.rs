//! The rules of money: what a wallet can pay, what a hold becomes, and which entries a movement
//! writes. Pure: no I/O, no clock, no randomness; times and new ids are arguments.
//!
//! A use case loads the [`Wallet`]s and [`Hold`]s it is about into [`Books`] (under lock), calls
//! [`Books::place`], [`Books::capture`], [`Books::release`] or [`Books::credit`] as often as it has
//! work, and saves [`Books::into_changes`] in one transaction.

mod allowance;
mod books;
mod card_money;
pub mod decline;
mod dispute;
mod hold;
mod payment;
mod period;
mod posting;
mod recharge;
mod refund;
mod standing;
mod usage;
mod wallet;

pub use allowance::{Allowance, BuyerStatus};
pub use books::{
    Books, CaptureError, Captured, Changes, CreditError, Freed, GiveBackError, LowBalance, PaidSale, Sale,
};
pub use card_money::{CardMoneyError, CardMove, card_accounts};
pub use dispute::{DisputeState, DisputeStep, dispute_step};
pub use hold::{Hold, HoldOutcome, HoldRequest, HoldState, Price, PriceError};
pub use payment::{
    AUTHENTICATION_REQUIRED, CardPayment, ChargeNews, Effect, HearError, NEVER_CHARGED, PaymentKind, PaymentState,
};
pub use period::Period;
pub use posting::{Account, AccountId, AccountKind, Entry, Posting, PostingKind, WalletLine};
pub use recharge::{AfterDecline, Bounds, MOST_A_DAY, NotNow, Recharge, Wanted};
pub use refund::{RefundError, RefundState, Refunds, allocate, unexplained};
pub use standing::{Payment, pay_standing};
pub use usage::{
    History, Markups, MonthDue, PostedBefore, Prices, SentMessage, UnitCost, Unposted, UsageKey, UsageKind, UsagePrice,
    month_due,
};
pub use wallet::{Spent, Terms, Wallet};
