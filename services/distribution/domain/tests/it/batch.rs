//! What must hold of a batch, whoever can pay.

use std::collections::{HashMap, HashSet};

use leadflow_distribution_domain::{
    Answer, Batch, Candidate, Decided, Lead, LeadResult, Logic, MAX_DETAILED, State, Verdict, Want,
};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn a_refused_hold_goes_on_to_the_next() {
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall] {
        let candidates: Vec<Candidate> = (0..3).map(candidate).collect();
        let mut purse = Purse::from([(candidates[0].buyer, 0)]);
        let decided = decide(&campaign(logic), &candidates, fresh(&candidates), leads(1), &mut purse);
        assert_eq!(winners(&decided), [[1]], "{logic:?}");
        let trace = &decided.leads[0].1;
        assert_eq!(trace.hold_rounds, 2);
        let refused = trace.candidates.iter().find(|line| line.buyer == candidates[0].buyer).unwrap();
        assert_eq!((refused.verdict, refused.rank), (Verdict::InsufficientFunds, 0));
    }
}

#[test]
fn a_refused_buyer_keeps_his_place_in_the_rotation() {
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin] {
        let candidates: Vec<Candidate> = (0..3).map(candidate).collect();
        let mut purse = Purse::from([(candidates[0].buyer, 0)]);
        let decided = decide(&campaign(logic), &candidates, fresh(&candidates), leads(2), &mut purse);
        assert_eq!(decided.rotations.rows[0].last_served, 0);
        assert_eq!(decided.rotations.rows[0].sold_today, 0);
        let paid = decide(&campaign(logic), &candidates, decided.rotations, leads(1), &mut Purse::new());
        assert_eq!(winners(&paid), [[0]], "{logic:?}: his turn comes first once he can pay");
    }
}

#[test]
fn a_broadcast_drops_only_who_cannot_pay() {
    let candidates: Vec<Candidate> = (0..4).map(candidate).collect();
    let mut purse = Purse::from([(candidates[1].buyer, 0), (candidates[3].buyer, 1)]);
    let decided = decide(&campaign(Logic::Broadcast), &candidates, fresh(&candidates), leads(2), &mut purse);
    assert_eq!(winners(&decided), [vec![0, 2, 3], vec![0, 2]]);
    let verdicts: Vec<Verdict> = decided.leads[1].1.candidates.iter().map(|line| line.verdict).collect();
    assert_eq!(verdicts, [Verdict::Chosen, Verdict::Chosen, Verdict::InsufficientFunds, Verdict::InsufficientFunds]);
}

#[test]
fn a_buyer_with_two_subscriptions_gets_a_broadcast_lead_once() {
    let mut candidates: Vec<Candidate> = (0..2).map(candidate).collect();
    candidates[1].buyer = candidates[0].buyer;
    let decided = decide(&campaign(Logic::Broadcast), &candidates, fresh(&candidates), leads(1), &mut Purse::new());
    assert_eq!(winners(&decided), [[0]]);
    assert_eq!(decided.leads[0].1.candidates[1].verdict, Verdict::AlreadyHadLead);
}

#[test]
fn nobody_gets_two_leads_about_the_same_person_in_one_batch() {
    for logic in LOGICS {
        let candidates: Vec<Candidate> = (0..2).map(candidate).collect();
        let person = Lead { fingerprints: vec!["person".to_owned()], ..Lead::default() };
        let decided = decide(&campaign(logic), &candidates, fresh(&candidates), vec![person; 4], &mut Purse::new());
        let got = counts(&decided, 2);
        assert_eq!(got, [1, 1], "{logic:?}");
    }
}

#[test]
fn a_test_lead_changes_nothing() {
    for logic in LOGICS {
        let candidates: Vec<Candidate> = (0..3).map(|n| Candidate { daily_cap: Some(1), ..candidate(n) }).collect();
        let test = Lead { test: true, ..Lead::default() };
        let before = fresh(&candidates);
        let rules = campaign(logic);
        let mut batch = Batch::new(&rules, &candidates, before.clone(), day(1), vec![test; 9]);
        assert_eq!(batch.wanted(), None, "no money is asked for");
        let decided = batch.finish();
        assert!(decided.leads.iter().all(|(result, _)| matches!(result, LeadResult::Sold(_))));
        assert_eq!(decided.rotations, before);
        assert!(decided.changed.is_empty());
    }
}

#[test]
fn a_long_row_of_buyers_without_money_costs_few_rounds() {
    let candidates: Vec<Candidate> = (0..1_000).map(candidate).collect();
    let mut purse: Purse = candidates[..900].iter().map(|one| (one.buyer, 0)).collect();
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall] {
        let decided = decide(&campaign(logic), &candidates, fresh(&candidates), leads(3), &mut purse);
        assert!(decided.rounds <= 16, "{logic:?}: {}", decided.rounds);
        assert!(winners(&decided).iter().all(|picks| picks.len() == 1), "{logic:?}");
    }
}

#[test]
fn a_hold_that_was_put_aside_and_then_used_is_not_given_back() {
    let candidates: Vec<Candidate> = (0..12).map(candidate).collect();
    let rules = campaign(Logic::RoundRobin);
    let mut batch = Batch::new(&rules, &candidates, fresh(&candidates), day(1), leads(2));
    let (no, yes) = (Answer::Refused(Verdict::InsufficientFunds), Answer::Granted);
    for _ in 0..4 {
        assert_eq!(batch.wanted().unwrap().len(), 2);
        batch.answer(&[no, no]).unwrap();
    }
    // From here on each lead asks two at once. The first takes 9, which is then no longer the second's best.
    let asked: Vec<_> = batch.wanted().unwrap().iter().map(|want| (want.lead, want.candidate)).collect();
    assert_eq!(asked, [(0, 8), (0, 9), (1, 9), (1, 10)]);
    batch.answer(&[no, yes, yes, no]).unwrap();
    // The second asks 11, who cannot pay, and 9 again: his hold stands.
    let asked: Vec<_> = batch.wanted().unwrap().iter().map(|want| (want.lead, want.candidate)).collect();
    assert_eq!(asked, [(1, 11), (1, 9)]);
    batch.answer(&[no, yes]).unwrap();
    assert_eq!(batch.wanted(), None);
    let decided = batch.finish();
    assert_eq!(winners(&decided), [[9], [9]]);
    assert_eq!(decided.surplus, []);
}

#[test]
fn a_hold_of_a_lead_that_stays_for_sale_is_not_given_back_here() {
    let candidates: Vec<Candidate> = (0..12).map(candidate).collect();
    let rules = campaign(Logic::RoundRobin);
    let mut batch = Batch::new(&rules, &candidates, fresh(&candidates), day(1), leads(2));
    let (no, yes) = (Answer::Refused(Verdict::InsufficientFunds), Answer::Granted);
    for _ in 0..4 {
        batch.wanted().unwrap();
        batch.answer(&[no, no]).unwrap();
    }
    batch.wanted().unwrap();
    batch.answer(&[no, yes, yes, no]).unwrap();
    // Nobody answers any more. Another replica may ask for the second lead's hold the moment we commit.
    let decided = batch.finish();
    assert_eq!(decided.leads[1].0, LeadResult::Unfinished);
    assert_eq!(decided.surplus, []);
}

#[test]
fn a_trace_names_fifty_and_counts_the_others() {
    let candidates: Vec<Candidate> = (0..200).map(candidate).collect();
    for logic in LOGICS {
        let decided = decide(&campaign(logic), &candidates, fresh(&candidates), leads(1), &mut Purse::new());
        let trace = &decided.leads[0].1;
        assert_eq!(trace.candidates.len(), MAX_DETAILED);
        assert_eq!(trace.candidates[0].verdict, Verdict::Chosen);
        assert_eq!(trace.others.iter().map(|(_, count)| count).sum::<u32>(), 150);
    }
}

#[test]
fn who_never_answers_leaves_leads_unfinished() {
    let candidates = [candidate(0)];
    let rules = campaign(Logic::RoundRobin);
    let mut batch = Batch::new(&rules, &candidates, fresh(&candidates), day(1), leads(1));
    assert!(batch.wanted().is_some());
    assert_eq!(batch.finish().leads[0].0, LeadResult::Unfinished);
}

#[derive(Debug, Clone)]
struct World {
    logic: Logic,
    candidates: Vec<Candidate>,
    leads: Vec<Lead>,
    purse: Purse,
}

fn world() -> impl Strategy<Value = World> {
    let one = (
        0_u8..3,
        proptest::option::of(0_u32..6),
        0_u8..=11,
        proptest::option::of(1_u32..4),
        proptest::option::of(0_u32..6),
        0_usize..12,
    );
    let lead = (0_u8..3, proptest::option::of(0_u8..6), proptest::bool::weighted(0.1));
    (0_usize..4, proptest::collection::vec(one, 0..12), proptest::collection::vec(lead, 0..40)).prop_map(
        |(logic, ones, those)| {
            let state = |n: u8| [None, State::parse("CA"), State::parse("NY")][usize::from(n)];
            let mut purse = Purse::new();
            let candidates: Vec<Candidate> = ones
                .into_iter()
                .enumerate()
                .map(|(n, (wants, daily_cap, priority, buyer_waterfall, money, buyer))| {
                    let mut made = candidate(n);
                    // Now and then a buyer has two subscriptions.
                    made.buyer = candidate(if buyer < n / 4 { buyer } else { n }).buyer;
                    made.states = state(wants).into_iter().collect();
                    (made.daily_cap, made.priority, made.buyer_waterfall) = (daily_cap, priority, buyer_waterfall);
                    if let Some(money) = money {
                        purse.insert(made.buyer, money);
                    }
                    made
                })
                .collect();
            let leads = those
                .into_iter()
                .map(|(from, person, test)| Lead {
                    state: state(from),
                    fingerprints: person.into_iter().map(|n| n.to_string()).collect(),
                    test,
                    ..Lead::default()
                })
                .collect();
            World { logic: LOGICS[logic], candidates, leads, purse }
        },
    )
}

fn check(world: &World, decided: &Decided) -> Result<(), TestCaseError> {
    let mut sold: HashMap<usize, u32> = HashMap::new();
    let mut had: HashSet<(usize, leadflow_kernel::BuyerId)> = HashSet::new();
    let mut persons: HashSet<(String, leadflow_kernel::BuyerId)> = HashSet::new();
    for (at, picks) in winners(decided).into_iter().enumerate() {
        let lead = &world.leads[at];
        prop_assert!(world.logic == Logic::Broadcast || picks.len() <= 1);
        for pick in picks {
            let one = &world.candidates[pick];
            prop_assert!(had.insert((at, one.buyer)), "one buyer, one lead, twice");
            prop_assert!(one.states.is_empty() || lead.state.is_some_and(|state| one.states.contains(state)));
            if !lead.test {
                *sold.entry(pick).or_default() += 1;
                for person in &lead.fingerprints {
                    prop_assert!(persons.insert((person.clone(), one.buyer)), "one person twice");
                }
            }
        }
    }
    for (index, one) in world.candidates.iter().enumerate() {
        let got = sold.get(&index).copied().unwrap_or(0);
        prop_assert!(one.daily_cap.is_none_or(|cap| got <= cap), "cap");
        prop_assert_eq!(decided.rotations.rows[index].sold_on(day(1)), got);
        prop_assert_eq!(decided.rotations.rows[index].last_served > 0, got > 0);
    }
    let total: u32 = sold.values().sum();
    prop_assert_eq!(decided.rotations.next_seq, 1 + u64::from(total));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rules_hold_whoever_can_pay(world in world()) {
        let mut purse = world.purse.clone();
        let decided = decide(&campaign(world.logic), &world.candidates, fresh(&world.candidates), world.leads.clone(), &mut purse);
        check(&world, &decided)?;
        // Nobody spent what he did not have, and what he did not get was not spent.
        let mut spent: HashMap<_, u32> = HashMap::new();
        for (at, picks) in winners(&decided).into_iter().enumerate() {
            for pick in picks.into_iter().filter(|_| !world.leads[at].test) {
                *spent.entry(world.candidates[pick].buyer).or_default() += 1;
            }
        }
        for (buyer, had) in &world.purse {
            prop_assert_eq!(had - purse[buyer], spent.get(buyer).copied().unwrap_or(0));
        }
        // A real lead that nobody got is one that nobody may have: asked again, nothing changes.
        prop_assert!(decided.leads.iter().all(|(result, _)| *result != LeadResult::Unfinished));
    }

    #[test]
    fn rules_hold_with_answers_at_random(world in world(), mut draws in proptest::collection::vec(any::<bool>(), 400)) {
        let rules = campaign(world.logic);
        let mut batch = Batch::new(&rules, &world.candidates, fresh(&world.candidates), day(1), world.leads.clone());
        let mut granted = HashSet::new();
        while let Some(wants) = batch.wanted() {
            let answers: Vec<Answer> = wants
                .iter()
                .map(|want| if granted.contains(want) || draws.pop().unwrap_or(true) {
                    granted.insert(*want);
                    Answer::Granted
                } else {
                    Answer::Refused(Verdict::WeeklyLimit)
                })
                .collect();
            batch.answer(&answers).unwrap();
        }
        let decided = batch.finish();
        check(&world, &decided)?;
        // What was held for a lead that is sold is used or given back; for one that is still for sale
        // somebody may ask again at any moment, so nothing of it is given back from here.
        let picks = winners(&decided);
        for want in &granted {
            let used = picks[want.lead].contains(&want.candidate);
            let sold = !picks[want.lead].is_empty();
            prop_assert_eq!(decided.surplus.contains(want), sold && !used, "{:?}", want);
        }
        prop_assert!(decided.surplus.iter().all(|want| granted.contains(want)));
        prop_assert!(picks.iter().enumerate().all(|(lead, picks)| world.leads[lead].test
            || picks.iter().all(|&candidate| granted.contains(&Want { lead, candidate }))), "what is sold is held");
    }

    #[test]
    fn a_batch_decides_as_its_leads_one_by_one(world in world()) {
        let rules = campaign(world.logic);
        let whole = decide(&rules, &world.candidates, fresh(&world.candidates), world.leads.clone(), &mut Purse::new());
        let mut rotations = fresh(&world.candidates);
        let mut had: HashMap<String, Vec<leadflow_kernel::BuyerId>> = HashMap::new();
        for (at, lead) in world.leads.iter().enumerate() {
            let mut lead = lead.clone();
            lead.already_had = lead.fingerprints.iter().flat_map(|person| had.get(person).cloned().unwrap_or_default()).collect();
            let one = decide(&rules, &world.candidates, rotations, vec![lead.clone()], &mut Purse::new());
            prop_assert_eq!(&one.leads[0].0, &whole.leads[at].0, "lead {}", at);
            for pick in winners(&one).remove(0).into_iter().filter(|_| !lead.test) {
                for person in &lead.fingerprints {
                    had.entry(person.clone()).or_default().push(world.candidates[pick].buyer);
                }
            }
            rotations = one.rotations;
        }
        prop_assert_eq!(rotations, whole.rotations);
    }
}
