//! Who may have a lead, and which check is named.

use leadflow_distribution_domain::{
    Answer, Batch, Candidate, Lead, Logic, Rotation, Rotations, State, Status, Verdict,
};
use leadflow_kernel::BuyerId;

use crate::support::*;

/// The verdict on `one` for `lead`, in a campaign where only it subscribes.
fn verdict(one: Candidate, lead: Lead) -> Verdict {
    verdict_after(one, lead, Rotation::default())
}

fn verdict_after(one: Candidate, lead: Lead, row: Rotation) -> Verdict {
    let candidates = [one];
    let rotations = Rotations { next_seq: 1, rows: vec![row] };
    let decided = decide(&campaign(Logic::RoundRobin), &candidates, rotations, vec![lead], &mut Purse::new());
    decided.leads[0].1.candidates[0].verdict
}

fn only_in(code: &str) -> Candidate {
    Candidate { states: State::parse(code).into_iter().collect(), ..candidate(0) }
}

fn lead_from(code: &str) -> Lead {
    Lead { state: State::parse(code), ..Lead::default() }
}

#[test]
fn a_lead_without_a_state_matches_no_restricted_subscription() {
    assert_eq!(verdict(only_in("CA"), Lead::default()), Verdict::LeadHasNoState);
    assert_eq!(verdict(candidate(0), Lead::default()), Verdict::Chosen);
}

#[test]
fn a_state_matches_in_any_case() {
    assert_eq!(verdict(only_in("CA"), lead_from("ca")), Verdict::Chosen);
    assert_eq!(verdict(only_in("CA"), lead_from("NY")), Verdict::StateMismatch);
}

#[test]
fn stored_states_count_for_nothing_once_selection_is_off() {
    let mut rules = campaign(Logic::RoundRobin);
    rules.allow_state_selection = false;
    let candidates = [only_in("CA")];
    let decided = decide(&rules, &candidates, fresh(&candidates), leads(1), &mut Purse::new());
    assert_eq!(winners(&decided), [[0]]);
}

#[test]
fn a_cap_of_zero_is_none_at_all_and_no_cap_is_no_limit() {
    assert_eq!(verdict(Candidate { daily_cap: Some(0), ..candidate(0) }, Lead::default()), Verdict::DailyCapReached);
    let sold = Rotation { cap_day: Some(day(1)), sold_today: u32::MAX, ..Rotation::default() };
    assert_eq!(verdict_after(candidate(0), Lead::default(), sold), Verdict::Chosen);
}

#[test]
fn a_cap_begins_anew_every_day() {
    let capped = || Candidate { daily_cap: Some(3), ..candidate(0) };
    let sold_on = |day| Rotation { cap_day: Some(day), sold_today: 3, ..Rotation::default() };
    assert_eq!(verdict_after(capped(), Lead::default(), sold_on(day(1))), Verdict::DailyCapReached);
    let yesterday = day(1).pred_opt().unwrap();
    assert_eq!(verdict_after(capped(), Lead::default(), sold_on(yesterday)), Verdict::Chosen);
}

#[test]
fn a_day_that_has_begun_is_not_gone_back_from() {
    // Another replica, whose clock is ahead, has counted for tomorrow already.
    let candidates = [Candidate { daily_cap: Some(3), ..candidate(0) }];
    let rules = campaign(Logic::RoundRobin);
    let mut rotations = fresh(&candidates);
    for today in [2, 1, 2, 1] {
        let mut batch = Batch::new(&rules, &candidates, rotations, day(today), leads(2));
        while let Some(wants) = batch.wanted() {
            batch.answer(&vec![Answer::Granted; wants.len()]).unwrap();
        }
        rotations = batch.finish().rotations;
        assert_eq!(rotations.rows[0].cap_day, Some(day(2)));
    }
    assert_eq!(rotations.rows[0].sold_today, 3, "one cap, whoever's clock it was");
}

#[test]
fn who_is_not_active_gets_nothing() {
    for status in [Status::Paused, Status::Archived] {
        assert_eq!(verdict(Candidate { status, ..candidate(0) }, Lead::default()), Verdict::SubscriptionInactive);
        let buyer_status = status;
        assert_eq!(verdict(Candidate { buyer_status, ..candidate(0) }, Lead::default()), Verdict::BuyerInactive);
    }
}

#[test]
fn who_had_it_does_not_get_it_again() {
    let had = Lead { already_had: vec![candidate(0).buyer], ..Lead::default() };
    assert_eq!(verdict(candidate(0), had), Verdict::AlreadyHadLead);
    let others = Lead { already_had: vec![BuyerId::new()], ..Lead::default() };
    assert_eq!(verdict(candidate(0), others), Verdict::Chosen);
}

#[test]
fn the_first_failed_check_is_named() {
    let mut one = only_in("CA");
    one.daily_cap = Some(0);
    one.buyer_status = Status::Paused;
    one.status = Status::Paused;
    let had = || Lead { already_had: vec![candidate(0).buyer], ..Lead::default() };
    assert_eq!(verdict(one.clone(), had()), Verdict::SubscriptionInactive);
    one.status = Status::Active;
    assert_eq!(verdict(one.clone(), had()), Verdict::BuyerInactive);
    one.buyer_status = Status::Active;
    assert_eq!(verdict(one.clone(), had()), Verdict::LeadHasNoState);
    one.states = std::iter::empty().collect();
    assert_eq!(verdict(one.clone(), had()), Verdict::DailyCapReached);
    one.daily_cap = None;
    assert_eq!(verdict(one, had()), Verdict::AlreadyHadLead);
}

#[test]
fn a_batch_needs_as_many_answers_as_questions() {
    let rules = campaign(Logic::RoundRobin);
    let candidates = [candidate(0)];
    let mut batch = Batch::new(&rules, &candidates, fresh(&candidates), day(1), leads(2));
    let wants = batch.wanted().unwrap();
    assert_eq!(batch.answer(&[]).unwrap_err().asked, 2);
    assert_eq!(batch.wanted(), Some(wants), "nothing was lost");
}
