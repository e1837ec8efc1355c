//! Leads that were accepted lately: known here before distribution has decided them.

use std::{collections::HashMap, sync::Mutex};

use leadflow_kernel::{LeadId, SupplierId};

use super::lock;

/// What is remembered of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Who posted it.
    pub supplier_id: SupplierId,
    /// Of the request's body.
    pub body_hash: [u8; 32],
    /// The stream has it. Otherwise it may have it: a publish was not acknowledged in time.
    pub stored: bool,
}

/// A bounded memory in two generations: when the young one is full it becomes the old one, and the
/// old one is forgotten.
#[derive(Debug)]
pub struct Recent {
    generations: Mutex<[HashMap<LeadId, Accepted>; 2]>,
    capacity: usize,
}

impl Recent {
    /// Remembers at least the last `capacity` leads, at most twice as many.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { generations: Mutex::default(), capacity }
    }

    /// Remembers a lead; that the stream has it is never forgotten by a later doubt.
    pub fn put(&self, lead_id: LeadId, accepted: Accepted) {
        let mut generations = lock(&self.generations);
        let [young, old] = &mut *generations;
        if young.len() >= self.capacity && !young.contains_key(&lead_id) {
            *old = std::mem::take(young);
        }
        let stored = [&*young, &*old].iter().any(|known| known.get(&lead_id).is_some_and(|lead| lead.stored));
        young.insert(lead_id, Accepted { stored: stored || accepted.stored, ..accepted });
    }

    /// What is known of a lead.
    #[must_use]
    pub fn get(&self, lead_id: LeadId) -> Option<Accepted> {
        let generations = lock(&self.generations);
        generations.iter().find_map(|known| known.get(&lead_id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(stored: bool) -> Accepted {
        Accepted { supplier_id: SupplierId::from_uuid(LeadId::new().uuid()), body_hash: [0; 32], stored }
    }

    #[test]
    fn the_newest_are_kept_and_the_number_is_bounded() {
        let recent = Recent::new(10);
        let leads: Vec<_> = (0..95).map(|_| LeadId::new()).collect();
        for &lead in &leads {
            recent.put(lead, accepted(true));
        }
        assert!(leads[85..].iter().all(|&lead| recent.get(lead).is_some()));
        assert!(leads.iter().filter(|&&lead| recent.get(lead).is_some()).count() <= 20);
    }

    #[test]
    fn a_doubtful_repeat_does_not_make_a_stored_lead_doubtful() {
        let (recent, lead) = (Recent::new(10), LeadId::new());
        recent.put(lead, accepted(true));
        recent.put(lead, accepted(false));
        assert_eq!(recent.get(lead).map(|lead| lead.stored), Some(true));
    }
}
