//! Parts of a batch: how candidates stand for one lead, and which leads are about one person.

use std::collections::HashMap;

use crate::{
    model::Lead,
    trace::{Collector, MAX_DETAILED, Verdict},
};

/// How the candidates stand for one lead at one moment.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    /// The best of the eligible, best first (all of them in a broadcast).
    pub(crate) ranked: Vec<usize>,
    /// Eligible ones that are not in `ranked`.
    pub(crate) more: u32,
    /// All of the eligible; only kept where each of them is due a share.
    pub(crate) sharing: Vec<usize>,
    /// Who would be eligible if the money were there.
    pub(crate) unfunded: Vec<(usize, Verdict)>,
    pub(crate) failed: Vec<(usize, Verdict)>,
    pub(crate) failed_more: Collector,
}

impl Evaluation {
    pub(crate) fn fail(&mut self, index: usize, verdict: Verdict) {
        if self.failed.len() < MAX_DETAILED {
            self.failed.push((index, verdict));
        } else {
            self.failed_more.count(verdict, 1);
        }
    }
}

/// For each lead, the others that share a fingerprint with it.
pub(crate) fn kin(leads: &[Lead]) -> Vec<Vec<usize>> {
    let mut owners: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, lead) in leads.iter().enumerate() {
        for fingerprint in &lead.fingerprints {
            owners.entry(fingerprint).or_default().push(at);
        }
    }
    let mut kin = vec![Vec::new(); leads.len()];
    for group in owners.values().filter(|group| group.len() > 1) {
        for &one in group {
            for &other in group {
                if one != other && !kin[one].contains(&other) {
                    kin[one].push(other);
                }
            }
        }
    }
    kin
}
