//! The rules of money, by example and against an independent model.

mod freed;
mod history;
mod holds;
mod low_balance;
mod postings;
mod returns;
mod standing;
mod support;
