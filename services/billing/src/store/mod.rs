//! SQL of the schema `billing`, and nothing else.
//!
//! Every transaction that changes wallets or holds locks its wallets first, all of them with one
//! statement in id order ([`wallets::lock`]): so two transactions never wait for each other in a
//! circle. Holds are read in a later statement, which sees what the transaction waited for.

pub mod card_attempts;
pub mod cards;
pub mod credits;
pub mod customers;
pub mod directory;
pub mod disputes;
pub mod holds;
pub mod ledger;
pub mod pay;
pub mod payments;
pub mod place;
pub mod provider_events;
pub mod recharges;
pub mod reconcile;
pub mod refunds;
pub mod returns;
pub mod save;
pub mod statement;
pub mod usage;
pub mod usage_postings;
pub mod usage_report;
pub mod usage_unpriced;
pub mod wallets;

use std::error::Error;

/// A stored value that the program cannot have written.
fn unreadable(error: impl Into<Box<dyn Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
