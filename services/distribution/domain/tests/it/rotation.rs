//! Fairness: who comes when.

use leadflow_distribution_domain::{Candidate, Logic, State, Status, WRR_ONE};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn weighted_round_robin_deals_as_nginx_does() {
    // The example of nginx's own documentation of the algorithm: weights 5, 1, 1.
    let mut candidates: Vec<Candidate> = (0..3).map(candidate).collect();
    for (one, weight) in candidates.iter_mut().zip([5, 1, 1]) {
        one.priority = weight;
    }
    let decided =
        decide(&campaign(Logic::WeightedRoundRobin), &candidates, fresh(&candidates), leads(7), &mut Purse::new());
    let order: Vec<usize> = winners(&decided).into_iter().flatten().collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
    assert!(decided.rotations.rows.iter().all(|row| row.wrr_current == 0));
}

#[test]
fn a_waterfall_begins_with_number_one() {
    let mut candidates: Vec<Candidate> = (0..4).map(candidate).collect();
    candidates[0].buyer_waterfall = None;
    candidates[1].buyer_waterfall = Some(2);
    candidates[2].buyer_waterfall = Some(1);
    candidates[3].buyer_waterfall = Some(2);
    candidates[3].priority = 9;
    let mut purse = Purse::new();
    let mut order = Vec::new();
    for _ in 0..4 {
        let decided = decide(&campaign(Logic::Waterfall), &candidates, fresh(&candidates), leads(1), &mut purse);
        let winner = winners(&decided)[0][0];
        order.push(winner);
        purse.insert(candidates[winner].buyer, 0);
    }
    assert_eq!(order, [2, 3, 1, 0], "number, then priority, then without a number");
}

#[test]
fn a_buyer_cannot_outrank_the_place_the_seller_fixed() {
    let mut candidates: Vec<Candidate> = (0..2).map(candidate).collect();
    candidates[0].buyer_waterfall = Some(5);
    candidates[1].buyer_waterfall = Some(1);
    candidates[1].seller_waterfall = Some(9);
    let decided = decide(&campaign(Logic::Waterfall), &candidates, fresh(&candidates), leads(1), &mut Purse::new());
    assert_eq!(winners(&decided), [[0]]);
}

#[test]
fn a_place_that_the_seller_fixed_is_not_taken_by_asking_for_it() {
    let mut candidates: Vec<Candidate> = (0..2).map(candidate).collect();
    candidates[0].buyer_waterfall = Some(1);
    candidates[0].priority = 10;
    candidates[1].seller_waterfall = Some(1);
    candidates[1].priority = 1;
    let decided = decide(&campaign(Logic::Waterfall), &candidates, fresh(&candidates), leads(1), &mut Purse::new());
    assert_eq!(winners(&decided), [[1]]);
}

#[test]
fn the_older_subscription_wins_a_tie() {
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall] {
        let mut candidates: Vec<Candidate> = (0..3).map(candidate).collect();
        candidates[2].since_micros = -1;
        let decided = decide(&campaign(logic), &candidates, fresh(&candidates), leads(1), &mut Purse::new());
        assert_eq!(winners(&decided), [[2]], "{logic:?}");
    }
}

#[test]
fn who_comes_back_gets_one_turn_not_all_he_missed() {
    let mut candidates: Vec<Candidate> = (0..3).map(candidate).collect();
    let rules = campaign(Logic::RoundRobin);
    candidates[0].status = Status::Paused;
    let away = decide(&rules, &candidates, fresh(&candidates), leads(50), &mut Purse::new());
    candidates[0].status = Status::Active;
    let back = decide(&rules, &candidates, away.rotations, leads(6), &mut Purse::new());
    assert_eq!(counts(&back, 3), [2, 2, 2]);
}

/// Leads from two states; candidate `n` wants both, the first or the second.
fn mixed(wants: &[u8]) -> Vec<Candidate> {
    let state = |code| State::parse(code).unwrap();
    wants
        .iter()
        .enumerate()
        .map(|(n, wants)| {
            let mut one = candidate(n);
            one.states = match wants {
                0 => std::iter::empty().collect(),
                1 => std::iter::once(state("CA")).collect(),
                _ => std::iter::once(state("NY")).collect(),
            };
            one
        })
        .collect()
}

proptest! {
    #[test]
    fn round_robin_differs_by_at_most_one(n in 1_usize..12, leads_n in 0_usize..200) {
        let candidates: Vec<Candidate> = (0..n).map(candidate).collect();
        let decided = decide(&campaign(Logic::RoundRobin), &candidates, fresh(&candidates), leads(leads_n), &mut Purse::new());
        let counts = counts(&decided, n);
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
    }

    #[test]
    fn rotations_are_fair_to_the_always_eligible_whatever_the_others_are(
        wants in proptest::collection::vec(0_u8..3, 2..10),
        from in proptest::collection::vec(0_u8..3, 1..200),
        broke in proptest::collection::vec((0_usize..10, 0_u32..5), 0..5),
        chunk in 1_usize..50,
        weighted: bool,
    ) {
        let logic = if weighted { Logic::WeightedRoundRobin } else { Logic::RoundRobin };
        let candidates = mixed(&wants);
        let all: Vec<_> = from
            .iter()
            .map(|from| {
                let mut lead = leads(1).remove(0);
                lead.state = [None, State::parse("CA"), State::parse("NY")][usize::from(*from)];
                lead
            })
            .collect();
        let mut purse: Purse =
            broke.iter().filter(|(n, _)| *n < candidates.len()).map(|(n, left)| (candidates[*n].buyer, *left)).collect();
        let always: Vec<usize> =
            (0..wants.len()).filter(|&n| wants[n] == 0 && !purse.contains_key(&candidates[n].buyer)).collect();
        let mut rotations = fresh(&candidates);
        let mut counts = vec![0_u32; wants.len()];
        for chunk in all.chunks(chunk) {
            let decided = decide(&campaign(logic), &candidates, rotations, chunk.to_vec(), &mut purse);
            for pick in winners(&decided).into_iter().flatten() {
                counts[pick] += 1;
            }
            // Not only at the end: after every batch.
            let got = always.iter().map(|&n| counts[n]);
            prop_assert!(got.clone().max().unwrap_or(0) - got.min().unwrap_or(0) <= 1, "{counts:?} of {always:?}");
            rotations = decided.rotations;
        }
    }

    #[test]
    fn weighted_round_robin_is_exact_after_every_cycle(
        weights in proptest::collection::vec(1_u8..=10, 1..12),
        cycles in 1_usize..4,
        chunk in 1_usize..40,
    ) {
        let mut candidates: Vec<Candidate> = (0..weights.len()).map(candidate).collect();
        for (one, weight) in candidates.iter_mut().zip(&weights) {
            one.priority = *weight;
        }
        let total: usize = weights.iter().map(|w| usize::from(*w)).sum();
        let mut rotations = fresh(&candidates);
        let mut got = vec![0_usize; weights.len()];
        let mut dealt = 0;
        while dealt < cycles * total {
            let size = chunk.min(total - dealt % total);
            let decided =
                decide(&campaign(Logic::WeightedRoundRobin), &candidates, rotations, leads(size), &mut Purse::new());
            for pick in winners(&decided).into_iter().flatten() {
                got[pick] += 1;
            }
            dealt += size;
            rotations = decided.rotations;
            if dealt % total == 0 {
                for (got, weight) in got.iter().zip(&weights) {
                    prop_assert_eq!(*got, usize::from(*weight) * (dealt / total));
                }
            }
        }
    }

    #[test]
    fn weighted_round_robin_owes_nobody_much(
        weights in proptest::collection::vec(1_u8..=10, 1..12),
        leads_n in 1_usize..300,
    ) {
        let mut candidates: Vec<Candidate> = (0..weights.len()).map(candidate).collect();
        for (one, weight) in candidates.iter_mut().zip(&weights) {
            one.priority = *weight;
        }
        let mut rotations = fresh(&candidates);
        for _ in 0..leads_n {
            let decided =
                decide(&campaign(Logic::WeightedRoundRobin), &candidates, rotations, leads(1), &mut Purse::new());
            rotations = decided.rotations;
            for row in &rotations.rows {
                prop_assert!(row.wrr_current.abs() <= WRR_ONE, "{:?}", rotations.rows);
            }
        }
    }
}
