//! Candidates, leads and a purse to try batches with.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use leadflow_distribution_domain::{
    Answer, Batch, Campaign, Candidate, Decided, Lead, LeadResult, Logic, Rotation, Rotations, StateSet, Status,
    Verdict, Want,
};
use leadflow_kernel::{BuyerId, Currency, Money, SubscriptionId};
use uuid::Uuid;

pub(crate) const LOGICS: [Logic; 4] =
    [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall, Logic::Broadcast];

pub(crate) fn day(n: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, n).unwrap()
}

pub(crate) fn campaign(logic: Logic) -> Campaign {
    Campaign { logic, price: Money::parse("25", Currency::USD).unwrap(), allow_state_selection: true }
}

/// The `n`th candidate: ids and age in the order of `n`.
pub(crate) fn candidate(n: usize) -> Candidate {
    let id = u128::try_from(n).unwrap() + 1;
    Candidate {
        subscription: SubscriptionId::from_uuid(Uuid::from_u128(id)),
        buyer: BuyerId::from_uuid(Uuid::from_u128(id)),
        status: Status::Active,
        buyer_status: Status::Active,
        states: StateSet::default(),
        daily_cap: None,
        priority: 5,
        buyer_waterfall: None,
        seller_waterfall: None,
        since_micros: i64::try_from(n).unwrap(),
    }
}

pub(crate) fn fresh(candidates: &[Candidate]) -> Rotations {
    Rotations { next_seq: 1, rows: vec![Rotation::default(); candidates.len()] }
}

pub(crate) fn leads(n: usize) -> Vec<Lead> {
    vec![Lead::default(); n]
}

/// Leads each buyer can still pay for; absent is without end.
pub(crate) type Purse = HashMap<BuyerId, u32>;

/// Decides with a purse that says who can pay, in the order of the wants. As billing does, it answers a hold that
/// stands once more, and gets back what was not used.
pub(crate) fn decide(
    campaign: &Campaign,
    candidates: &[Candidate],
    rotations: Rotations,
    leads: Vec<Lead>,
    purse: &mut Purse,
) -> Decided {
    let mut batch = Batch::new(campaign, candidates, rotations, day(1), leads);
    let mut held = HashSet::new();
    while let Some(wants) = batch.wanted() {
        let answers: Vec<Answer> = wants
            .iter()
            .map(|want| match purse.get_mut(&candidates[want.candidate].buyer) {
                _ if held.contains(want) => Answer::Granted,
                Some(0) => Answer::Refused(Verdict::InsufficientFunds),
                left => {
                    if let Some(left) = left {
                        *left -= 1;
                    }
                    held.insert(*want);
                    Answer::Granted
                }
            })
            .collect();
        batch.answer(&answers).unwrap();
    }
    let decided = batch.finish();
    let used =
        |want: &Want| matches!(&decided.leads[want.lead].0, LeadResult::Sold(picks) if picks.contains(&want.candidate));
    assert!(!decided.surplus.iter().any(used), "a hold that is used is not given back");
    for want in held.iter().filter(|want| !used(want)) {
        if let Some(left) = purse.get_mut(&candidates[want.candidate].buyer) {
            *left += 1;
        }
    }
    decided
}

/// Who got each lead.
pub(crate) fn winners(decided: &Decided) -> Vec<Vec<usize>> {
    decided
        .leads
        .iter()
        .map(|(result, _)| match result {
            LeadResult::Sold(picks) => picks.clone(),
            LeadResult::Nobody | LeadResult::Unfinished => Vec::new(),
        })
        .collect()
}

/// How many leads each candidate got.
pub(crate) fn counts(decided: &Decided, candidates: usize) -> Vec<u32> {
    let mut counts = vec![0; candidates];
    for pick in winners(decided).into_iter().flatten() {
        counts[pick] += 1;
    }
    counts
}
