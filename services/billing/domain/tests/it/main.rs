//! The rules of money, by example and against an independent model.

mod card_money;
mod freed;
mod history;
mod holds;
mod low_balance;
mod postings;
mod recharge;
mod returns;
mod standing;
mod support;
mod usage;
