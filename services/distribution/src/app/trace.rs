//! Decision traces between the domain and their contract.

use leadflow_contracts::{common, id};
use leadflow_distribution_domain::{CandidateTrace, Logic, Trace, Verdict};

/// The wire form of a logic.
pub const fn logic_to_proto(logic: Logic) -> common::Logic {
    match logic {
        Logic::RoundRobin => common::Logic::RoundRobin,
        Logic::WeightedRoundRobin => common::Logic::WeightedRoundRobin,
        Logic::Waterfall => common::Logic::Waterfall,
        Logic::Broadcast => common::Logic::Broadcast,
    }
}

/// Reads a logic; `None` when it is not given.
pub const fn logic_from_proto(logic: common::Logic) -> Option<Logic> {
    match logic {
        common::Logic::Unspecified => None,
        common::Logic::RoundRobin => Some(Logic::RoundRobin),
        common::Logic::WeightedRoundRobin => Some(Logic::WeightedRoundRobin),
        common::Logic::Waterfall => Some(Logic::Waterfall),
        common::Logic::Broadcast => Some(Logic::Broadcast),
    }
}

const VERDICTS: [(Verdict, common::Verdict); 13] = [
    (Verdict::Chosen, common::Verdict::Chosen),
    (Verdict::Outranked, common::Verdict::Outranked),
    (Verdict::SubscriptionInactive, common::Verdict::SubscriptionInactive),
    (Verdict::BuyerInactive, common::Verdict::BuyerInactive),
    (Verdict::StateMismatch, common::Verdict::StateMismatch),
    (Verdict::LeadHasNoState, common::Verdict::LeadHasNoState),
    (Verdict::DailyCapReached, common::Verdict::DailyCapReached),
    (Verdict::AlreadyHadLead, common::Verdict::AlreadyHadLead),
    (Verdict::InsufficientFunds, common::Verdict::InsufficientFunds),
    (Verdict::WeeklyLimit, common::Verdict::WeeklyLimit),
    (Verdict::MonthlyLimit, common::Verdict::MonthlyLimit),
    (Verdict::WalletBlocked, common::Verdict::WalletBlocked),
    (Verdict::BillingUnavailable, common::Verdict::BillingUnavailable),
];

/// The wire form of a verdict.
pub fn verdict_to_proto(verdict: Verdict) -> i32 {
    VERDICTS.iter().find(|(known, _)| *known == verdict).map_or(0, |(_, wire)| i32::from(*wire))
}

fn verdict_from_proto(wire: i32) -> Option<Verdict> {
    VERDICTS.iter().find(|(_, known)| i32::from(*known) == wire).map(|(verdict, _)| *verdict)
}

/// Reads a trace; `None` when no candidates were looked at. What a newer version added is left out.
pub fn trace_from_proto(trace: &common::DecisionTrace) -> Option<Trace> {
    Some(Trace {
        logic: logic_from_proto(trace.logic())?,
        candidates: trace
            .candidates
            .iter()
            .filter_map(|one| {
                Some(CandidateTrace {
                    subscription: id(&one.subscription_id, "subscription_id").ok()?,
                    buyer: id(&one.buyer_id, "buyer_id").ok()?,
                    verdict: verdict_from_proto(one.verdict)?,
                    rank: one.rank,
                })
            })
            .collect(),
        others: trace
            .others
            .iter()
            .filter_map(|other| Some((verdict_from_proto(other.verdict)?, other.count)))
            .collect(),
        hold_rounds: trace.hold_rounds,
    })
}
