//! What a decision leaves behind, so that it can be explained.

use leadflow_kernel::{BuyerId, SubscriptionId};

use crate::model::Logic;

/// Candidates described one by one in a trace; the others are counted.
pub const MAX_DETAILED: usize = 50;

/// Why a candidate did not get a lead, or that it did. Checks are made in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Got it.
    Chosen,
    /// Passed every check; others ranked before it.
    Outranked,
    /// The subscription is paused or archived.
    SubscriptionInactive,
    /// The buyer is paused or archived.
    BuyerInactive,
    /// It wants other states.
    StateMismatch,
    /// It wants certain states, and the lead has none.
    LeadHasNoState,
    /// It had as many today as it wants.
    DailyCapReached,
    /// The buyer had this lead, or a duplicate of it.
    AlreadyHadLead,
    /// The wallet does not cover the price.
    InsufficientFunds,
    /// The buyer's weekly spending limit.
    WeeklyLimit,
    /// The buyer's monthly spending limit.
    MonthlyLimit,
    /// No usable wallet.
    WalletBlocked,
    /// Nobody could say whether the money is there.
    BillingUnavailable,
}

/// What became of one candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateTrace {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its buyer.
    pub buyer: BuyerId,
    /// The first check it failed, or that it passed all.
    pub verdict: Verdict,
    /// 1 is best; 0 when it failed a check.
    pub rank: u32,
}

/// Why a lead went where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The campaign's logic at the time.
    pub logic: Logic,
    /// Winners first, then by rank, then who failed a check; at most [`MAX_DETAILED`].
    pub candidates: Vec<CandidateTrace>,
    /// How many others ended with which verdict.
    pub others: Vec<(Verdict, u32)>,
    /// How often money was asked for before it was decided.
    pub hold_rounds: u32,
}

/// Collects candidates, keeping the first [`MAX_DETAILED`] and counting the rest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Collector {
    detailed: Vec<CandidateTrace>,
    others: Vec<(Verdict, u32)>,
}

impl Collector {
    pub(crate) fn push(&mut self, candidate: CandidateTrace) {
        if self.detailed.len() < MAX_DETAILED {
            self.detailed.push(candidate);
        } else {
            self.count(candidate.verdict, 1);
        }
    }

    pub(crate) fn count(&mut self, verdict: Verdict, more: u32) {
        if more == 0 {
            return;
        }
        match self.others.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.others.push((verdict, more)),
        }
    }

    pub(crate) fn finish(mut self, logic: Logic, hold_rounds: u32) -> Trace {
        self.others.sort_unstable();
        Trace { logic, candidates: self.detailed, others: self.others, hold_rounds }
    }
}
