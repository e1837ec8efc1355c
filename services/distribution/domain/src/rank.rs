//! The order in which candidates come for a lead.

use std::cmp::{Ordering, Reverse};

use crate::model::{Candidate, Logic, Rotation, WRR_ONE};

/// The part of a lead that each of the eligible is due: its weight over the sum of theirs.
///
/// Smooth weighted round robin as nginx does it adds each one's weight and takes the sum from the
/// winner. Counted in leads instead of weights it is the same for a stable set, and stays fair when
/// the set changes from lead to lead: counted in weights, a buyer who happens to be served when
/// many are eligible would pay more for his turn than one served when few are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    total: i64,
}

impl Share {
    pub(crate) fn among<'a>(eligible: impl Iterator<Item = &'a Candidate>) -> Self {
        Self { total: eligible.map(Candidate::weight).sum::<i64>().max(1) }
    }

    pub(crate) fn of(self, candidate: &Candidate) -> i64 {
        // A weight is at most 10, so this stays far below the limit.
        candidate.weight() * WRR_ONE / self.total
    }
}

/// Who comes first: `Less` is better. Never equal for two candidates.
pub(crate) fn compare(logic: Logic, share: Share, a: (&Candidate, &Rotation), b: (&Candidate, &Rotation)) -> Ordering {
    let ((a, a_rotation), (b, b_rotation)) = (a, b);
    let by_logic = match logic {
        Logic::RoundRobin => a_rotation.last_served.cmp(&b_rotation.last_served),
        Logic::WeightedRoundRobin => {
            let due = |candidate: &Candidate, rotation: &Rotation| {
                Reverse(rotation.wrr_current.saturating_add(share.of(candidate)))
            };
            due(a, a_rotation).cmp(&due(b, b_rotation))
        }
        Logic::Waterfall => {
            // Asking for a place does not take it from whom the seller put there.
            let place = |one: &Candidate| (one.waterfall(), one.seller_waterfall.is_none(), Reverse(one.weight()));
            place(a).cmp(&place(b))
        }
        Logic::Broadcast => Ordering::Equal,
    };
    by_logic.then_with(|| (a.since_micros, a.subscription).cmp(&(b.since_micros, b.subscription)))
}
