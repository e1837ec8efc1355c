//! Undoing sales: windows, shares, reasons, and that a wish is decided once.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_distribution_domain::returns::{
    DecidedOtherwise, NotReturned, RefusalPolicy, ReturnPolicy, ReturnState, Wish,
};
use proptest::prelude::*;

fn policy() -> ReturnPolicy {
    ReturnPolicy {
        days: 7,
        max_share_percent: 20,
        reasons: vec!["wrong_number".to_owned(), "not_interested".to_owned()],
        auto_approve: false,
        counts_out_of_caps: true,
        refusals: RefusalPolicy::default(),
    }
}

fn sold() -> DateTime<Utc> {
    "2026-11-02T12:00:00Z".parse().unwrap()
}

fn wish() -> Wish<'static> {
    Wish { sold_at: sold(), now: sold(), reason: "wrong_number", bought: 10, returned: 0 }
}

#[test]
fn given_a_policy_when_a_buyer_asks_in_time_with_a_reason_then_the_seller_decides() {
    assert_eq!(policy().judge(&wish()), Ok(ReturnState::Requested));
    let auto = ReturnPolicy { auto_approve: true, ..policy() };
    assert_eq!(auto.judge(&wish()), Ok(ReturnState::Approved));
}

#[test]
fn given_no_days_then_nothing_is_taken_back() {
    let none = ReturnPolicy { days: 0, ..policy() };
    assert_eq!(none.judge(&wish()), Err(NotReturned::NotAllowed));
    assert_eq!(ReturnPolicy::default().judge(&wish()), Err(NotReturned::NotAllowed));
}

#[test]
fn given_seven_days_when_they_are_over_to_the_millisecond_then_it_is_too_late() {
    let end = sold() + TimeDelta::days(7);
    let last = Wish { now: end - TimeDelta::milliseconds(1), ..wish() };
    assert_eq!(policy().judge(&last), Ok(ReturnState::Requested));
    assert_eq!(policy().judge(&Wish { now: end, ..wish() }), Err(NotReturned::WindowOver));
    // Another replica's clock may be behind.
    let before = Wish { now: sold() - TimeDelta::seconds(1), ..wish() };
    assert_eq!(policy().judge(&before), Ok(ReturnState::Requested));
}

#[test]
fn given_reasons_when_another_is_named_then_it_is_refused() {
    for reason in ["", "too_expensive", "WRONG_NUMBER", "wrong_number "] {
        assert_eq!(policy().judge(&Wish { reason, ..wish() }), Err(NotReturned::Reason), "{reason:?}");
    }
}

#[test]
fn given_a_fifth_when_it_is_used_up_then_no_more_and_fractions_do_not_count() {
    for (bought, returned, may) in
        [(1, 0, false), (4, 0, false), (5, 0, true), (9, 1, false), (10, 1, true), (10, 2, false), (14, 2, false)]
    {
        let judged = policy().judge(&Wish { bought, returned, ..wish() });
        assert_eq!(judged.is_ok(), may, "{returned} of {bought}: {judged:?}");
    }
    let all = ReturnPolicy { max_share_percent: 100, ..policy() };
    assert!(all.judge(&Wish { bought: 3, returned: 2, ..wish() }).is_ok());
    assert_eq!(all.judge(&Wish { bought: 3, returned: 3, ..wish() }), Err(NotReturned::Share));
    assert!(all.judge(&Wish { bought: u64::MAX, returned: u64::MAX - 1, ..wish() }).is_ok());
}

#[test]
fn given_a_decision_when_the_other_is_made_then_it_is_refused_and_the_same_changes_nothing() {
    assert_eq!(ReturnState::Requested.decide(true), Ok(true));
    assert_eq!(ReturnState::Requested.decide(false), Ok(true));
    assert_eq!(ReturnState::Approved.decide(true), Ok(false));
    assert_eq!(ReturnState::Rejected.decide(false), Ok(false));
    assert_eq!(ReturnState::Approved.decide(false), Err(DecidedOtherwise));
    assert_eq!(ReturnState::Rejected.decide(true), Err(DecidedOtherwise));
}

#[test]
fn a_policy_that_would_let_nobody_return_anything_is_refused() {
    let field = |policy: ReturnPolicy| policy.check().map_err(|invalid| invalid.field);
    assert_eq!(field(policy()), Ok(()));
    assert_eq!(field(ReturnPolicy::default()), Ok(()));
    let reasons = |reasons: &[&str]| ReturnPolicy {
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
        ..policy()
    };
    let many: Vec<String> = (0..21).map(|n| format!("reason_{n}")).collect();
    for (wrong, named) in [
        (ReturnPolicy { days: 366, ..policy() }, "returns.days"),
        (ReturnPolicy { max_share_percent: 0, ..policy() }, "returns.max_share_percent_per_month"),
        (ReturnPolicy { max_share_percent: 101, ..policy() }, "returns.max_share_percent_per_month"),
        (ReturnPolicy { max_share_percent: 101, ..ReturnPolicy::default() }, "returns.max_share_percent_per_month"),
        (reasons(&[]), "returns.reasons"),
        (reasons(&["a", "a"]), "returns.reasons"),
        (reasons(&["Wrong"]), "returns.reasons"),
        (reasons(&["_x"]), "returns.reasons"),
        (reasons(&[""]), "returns.reasons"),
        (reasons(&[&"a".repeat(41)]), "returns.reasons"),
        (ReturnPolicy { reasons: many, ..policy() }, "returns.reasons"),
    ] {
        assert_eq!(field(wrong.clone()), Err(named.to_owned()), "{wrong:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Buy,
    Wait { hours: i64 },
    Ask { lead: usize, reason: usize },
    Decide { lead: usize, approve: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Buy),
        1 => (1..80_i64).prop_map(|hours| Step::Wait { hours }),
        4 => (0..20_usize, 0..3_usize).prop_map(|(lead, reason)| Step::Ask { lead, reason }),
        3 => (0..20_usize, any::<bool>()).prop_map(|(lead, approve)| Step::Decide { lead, approve }),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn in_any_history_the_share_is_kept_and_what_was_decided_stays(
        steps in steps(), days in 1..5_u32, share in 1..=100_u32, auto_approve: bool,
    ) {
        let policy = ReturnPolicy { days, max_share_percent: share, auto_approve, ..policy() };
        let reasons = ["wrong_number", "not_interested", "unknown"];
        let mut now = sold();
        // Everything is bought in one month.
        let mut leads: Vec<(DateTime<Utc>, Option<ReturnState>)> = Vec::new();
        for step in steps {
            let asked_back = |leads: &[(DateTime<Utc>, Option<ReturnState>)]| {
                leads.iter().filter(|(_, state)| !matches!(state, None | Some(ReturnState::Rejected))).count() as u64
            };
            match step {
                Step::Buy => leads.push((now, None)),
                Step::Wait { hours } => now += TimeDelta::hours(hours),
                Step::Ask { lead, reason } => {
                    let Some((sold_at, None)) = leads.get(lead).copied() else { continue };
                    let (bought, returned) = (leads.len() as u64, asked_back(&leads));
                    let wish = Wish { sold_at, now, reason: reasons[reason], bought, returned };
                    let late = now >= sold_at + TimeDelta::hours(24 * i64::from(days));
                    let full = (returned + 1) * 100 > bought * u64::from(share);
                    match policy.judge(&wish) {
                        Ok(state) => {
                            prop_assert!(!late && reason < 2 && !full);
                            prop_assert_eq!(state == ReturnState::Approved, auto_approve);
                            leads[lead].1 = Some(state);
                        }
                        Err(NotReturned::WindowOver) => prop_assert!(late),
                        Err(NotReturned::Reason) => prop_assert!(reason == 2),
                        Err(NotReturned::Share) => prop_assert!(full),
                        Err(NotReturned::NotAllowed) => prop_assert!(false, "there are days"),
                    }
                }
                Step::Decide { lead, approve } => {
                    let Some((_, Some(before))) = leads.get(lead).copied() else { continue };
                    let wanted = if approve { ReturnState::Approved } else { ReturnState::Rejected };
                    match before.decide(approve) {
                        Ok(true) => {
                            prop_assert_eq!(before, ReturnState::Requested);
                            leads[lead].1 = Some(wanted);
                        }
                        Ok(false) => prop_assert_eq!(before, wanted),
                        Err(DecidedOtherwise) => prop_assert!(before != wanted && before != ReturnState::Requested),
                    }
                }
            }
            prop_assert!(asked_back(&leads) * 100 <= leads.len() as u64 * u64::from(share));
        }
    }
}

#[test]
fn refusals_have_a_share_of_their_own_and_selling_on_needs_credit() {
    let refusals = |credited, sold_on, max_share_percent| RefusalPolicy { credited, sold_on, max_share_percent };
    for (policy, fine) in [
        (refusals(false, false, 0), true),
        (refusals(true, true, 1), true),
        (refusals(true, false, 100), true),
        (refusals(false, true, 50), false),
        (refusals(true, false, 0), false),
        (refusals(true, true, 101), false),
    ] {
        assert_eq!(ReturnPolicy { refusals: policy, ..self::policy() }.check().is_ok(), fine, "{policy:?}");
    }
    assert_eq!(refusals(false, false, 100).judge(10, 0), Err(NotReturned::NotAllowed));
    let quarter = refusals(true, true, 25);
    for (bought, refused, wanted) in
        [(3, 0, Err(NotReturned::Share)), (4, 0, Ok(())), (7, 1, Err(NotReturned::Share)), (8, 1, Ok(()))]
    {
        assert_eq!(quarter.judge(bought, refused), wanted, "{refused} of {bought}");
    }
    assert_eq!(refusals(true, true, 100).judge(u64::MAX, u64::MAX), Ok(()));
}
