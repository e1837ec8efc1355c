//! The promises, each with the SQL that finds where it is broken.

mod answers;
mod billing;
mod delivery;
mod distribution;
mod payments;
mod rest;
mod sales;

/// One promise of the system.
#[derive(Debug)]
pub struct Invariant {
    /// Short, stable, snake_case.
    pub name: &'static str,
    /// The promise.
    pub sentence: &'static str,
    /// Holds only once everything has come to rest.
    pub only_when_settled: bool,
    /// A query of what it is checked on, one row each.
    pub checked: &'static str,
    /// A query of what breaks it: one text column that says which and how.
    pub broken: &'static str,
}

/// Every promise, in the order of a lead's path.
pub(super) fn all() -> impl Iterator<Item = &'static Invariant> {
    [answers::ALL, distribution::ALL, sales::ALL, billing::ALL, payments::ALL, delivery::ALL, rest::ALL]
        .into_iter()
        .flatten()
}
