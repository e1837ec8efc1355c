//! The promises, each with the SQL that finds where it is broken.

mod answers;
mod billing;
mod delivery;
mod distribution;
mod payments;
mod rest;
mod sales;
mod stripe;
mod usage;

use super::Expectations;
pub(super) use rest::ALL as AT_REST;

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
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Invariant> {
    in_order(stripe::ALL)
}

/// Those that can be looked at with what the caller knows.
pub(super) fn to_check(expectations: &Expectations) -> impl Iterator<Item = &'static Invariant> {
    let settled = expectations.settled;
    let compared = if expectations.stripe.is_some() { stripe::ALL } else { &[] };
    in_order(compared).filter(move |invariant| settled || !invariant.only_when_settled)
}

fn in_order(stripe: &'static [Invariant]) -> impl Iterator<Item = &'static Invariant> {
    [
        answers::ALL,
        distribution::ALL,
        sales::ALL,
        billing::ALL,
        payments::ALL,
        stripe,
        delivery::ALL,
        usage::ALL,
        rest::ALL,
    ]
    .into_iter()
    .flatten()
}
