//! Deliveries to buyers.

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[];
