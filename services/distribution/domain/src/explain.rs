//! A decision in sentences for a person.

use leadflow_kernel::BuyerId;

use crate::{
    model::Logic,
    trace::{CandidateTrace, Trace, Verdict},
};

/// One sentence a candidate, after one about the campaign's way to choose. `name` gives a buyer's
/// company; an unknown one is called by its id.
#[must_use]
pub fn explain(trace: &Trace, name: impl Fn(BuyerId) -> Option<String>) -> Vec<String> {
    let mut lines = vec![logic_sentence(trace.logic).to_owned()];
    if trace.candidates.is_empty() {
        lines.push("Nobody subscribes to the campaign.".to_owned());
    }
    for candidate in &trace.candidates {
        let who = name(candidate.buyer).unwrap_or_else(|| candidate.buyer.to_string());
        lines.push(candidate_sentence(trace.logic, candidate, &who));
    }
    for (verdict, count) in &trace.others {
        let others = if *count == 1 { "1 other".to_owned() } else { format!("{count} others") };
        lines.push(format!("{others}: {}.", words(*verdict)));
    }
    if trace.hold_rounds > 1 {
        lines.push(format!(
            "Money was asked for {} times, because some of the first choices could not pay.",
            trace.hold_rounds
        ));
    }
    lines
}

/// A sale that was undone, in a sentence: `who` had bought the lead and gave it back because of `reason`, or its system refused it
/// and said so.
#[must_use]
pub fn undone(who: &str, reason: &str, said: Option<&str>) -> String {
    let why = match said.map(|said| said.trim_end_matches('.')) {
        None => format!("gave it back: {}", reason.replace('_', " ")),
        Some("") => "its system refused it".to_owned(),
        Some(said) => format!("its system refused it: {said}"),
    };
    format!("{who} had it, but {why}. The sale was undone.")
}

fn logic_sentence(logic: Logic) -> &'static str {
    match logic {
        Logic::RoundRobin => "Round robin: whoever may have the lead and waited longest gets it.",
        Logic::WeightedRoundRobin => {
            "Weighted round robin: those who may have the lead get their share by priority, in turn."
        }
        Logic::Waterfall => "Waterfall: the first in the fixed order who may have the lead gets it.",
        Logic::Broadcast => "Broadcast: everybody who may have the lead gets it.",
    }
}

fn candidate_sentence(logic: Logic, candidate: &CandidateTrace, who: &str) -> String {
    match candidate.verdict {
        Verdict::Chosen if logic == Logic::Broadcast => format!("{who} got it."),
        Verdict::Chosen => format!("{who} got it (number {} in order).", candidate.rank),
        Verdict::Outranked => format!("{who} could have had it, but was number {} in order.", candidate.rank),
        failed => format!("{who} did not get it: {}.", words(failed)),
    }
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Chosen => "got it",
        Verdict::Outranked => "could have had it, but came later in order",
        Verdict::SubscriptionInactive => "the subscription is not active",
        Verdict::BuyerInactive => "the buyer is not active",
        Verdict::StateMismatch => "the lead is from a state that was not asked for",
        Verdict::LeadHasNoState => "only certain states were asked for, and the lead has none",
        Verdict::DailyCapReached => "the daily cap is reached",
        Verdict::AlreadyHadLead => "the buyer already had this lead or a duplicate of it",
        Verdict::InsufficientFunds => "the wallet does not cover the price",
        Verdict::WeeklyLimit => "the weekly spending limit would be exceeded",
        Verdict::MonthlyLimit => "the monthly spending limit would be exceeded",
        Verdict::WalletBlocked => "there is no usable wallet",
        Verdict::BillingUnavailable => "nobody could say whether the money is there",
    }
}

#[cfg(test)]
mod tests {
    use leadflow_kernel::SubscriptionId;

    use super::*;

    #[test]
    fn a_trace_reads_as_sentences() {
        let (first, second) = (BuyerId::new(), BuyerId::new());
        let line = |buyer, verdict, rank| CandidateTrace { subscription: SubscriptionId::new(), buyer, verdict, rank };
        let trace = Trace {
            logic: Logic::Waterfall,
            candidates: vec![line(first, Verdict::Chosen, 1), line(second, Verdict::InsufficientFunds, 0)],
            others: vec![(Verdict::StateMismatch, 3)],
            hold_rounds: 2,
        };
        let lines = explain(&trace, |buyer| (buyer == first).then(|| "Acme".to_owned()));
        assert_eq!(lines[1], "Acme got it (number 1 in order).");
        assert_eq!(lines[2], format!("{second} did not get it: the wallet does not cover the price."));
        assert_eq!(lines[3], "3 others: the lead is from a state that was not asked for.");
        assert!(lines[4].contains("2 times"));
    }

    #[test]
    fn a_sale_that_was_undone_says_by_whom() {
        for (said, wanted) in [
            (None, "Acme had it, but gave it back: wrong number. The sale was undone."),
            (Some("not here."), "Acme had it, but its system refused it: not here. The sale was undone."),
            (Some(""), "Acme had it, but its system refused it. The sale was undone."),
        ] {
            assert_eq!(undone("Acme", "wrong_number", said), wanted);
        }
    }
}
