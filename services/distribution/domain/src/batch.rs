//! Deciding many leads of one campaign at once, while somebody else says whether the money is there.
//!
//! ```text
//! while let Some(wants) = batch.wanted() { batch.answer(&ask_for_money(wants))?; }
//! let decided = batch.finish();
//! ```
//! A pick whose hold was granted stays. A refused buyer is out for the rest of the batch, and his
//! place in the rotation is as if he had not been considered: only granted picks move it.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use leadflow_kernel::BuyerId;

use crate::{
    eligibility::failed_check,
    evaluation::{Evaluation, kin},
    model::{Campaign, Candidate, Lead, Logic, Rotation, Rotations, WRR_ONE},
    rank::{Share, compare},
    trace::{CandidateTrace, Collector, MAX_DETAILED, Trace, Verdict},
};

/// Rounds in which each lead asks one candidate. After these it asks two, four, eight … at once, so
/// that a long row of buyers without money costs a handful of questions instead of one each.
const SINGLE_ROUNDS: u32 = 4;
/// The most candidates that one lead asks at once, broadcast aside.
const MAX_WIDTH: usize = 256;
/// When to stop asking: leads still open then are left as they are, to be tried again.
const MAX_ROUNDS: u32 = 64;

/// Money that is to be held: the price of lead number `lead` for candidate number `candidate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Want {
    /// Index of the lead.
    pub lead: usize,
    /// Index of the candidate.
    pub candidate: usize,
}

/// What became of a [`Want`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The money is held.
    Granted,
    /// It is not, and why.
    Refused(Verdict),
}

/// The answers do not belong to what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} holds were asked for, {answered} answered")]
pub struct ProtocolError {
    /// Number of wants.
    pub asked: usize,
    /// Number of answers.
    pub answered: usize,
}

/// What was decided for a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadResult {
    /// Goes to these candidates (indices), best first. For a test lead: would go.
    Sold(Vec<usize>),
    /// Nobody may have it now.
    Nobody,
    /// Too many buyers were refused; there may be others. To be tried again soon.
    Unfinished,
}

/// The end of a batch.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Per lead, in their order.
    pub leads: Vec<(LeadResult, Trace)>,
    /// Rows of the rotation that are not as they were, by candidate index.
    pub changed: Vec<(usize, Rotation)>,
    /// The rotation after the batch.
    pub rotations: Rotations,
    /// Holds that were granted and will never be needed: their leads went to others. Holds of leads that
    /// are still for sale are not among them: somebody may ask for them again and sell before they are given back.
    pub surplus: Vec<Want>,
    /// How often money was asked for.
    pub rounds: u32,
}

/// A batch of leads of one campaign on their way to decisions.
#[derive(Debug)]
pub struct Batch<'a> {
    campaign: &'a Campaign,
    candidates: &'a [Candidate],
    today: NaiveDate,
    before: Vec<Rotation>,
    /// As it was, moved by the granted picks.
    rotations: Rotations,
    work: Vec<Work>,
    refused: HashMap<BuyerId, Verdict>,
    asked: Vec<Want>,
    surplus: Vec<Want>,
    rounds: u32,
}

#[derive(Debug)]
struct Work {
    lead: Lead,
    /// Other leads of the batch about the same person.
    kin: Vec<usize>,
    /// Candidates that got it, or may get it in the round that is under way.
    picks: Vec<usize>,
    seen: Option<Evaluation>,
    done: bool,
}

impl<'a> Batch<'a> {
    /// Begins. `rotations` has a row for each candidate, in their order; missing ones count as
    /// never served. `today` is the date where the tenant is.
    #[must_use]
    pub fn new(
        campaign: &'a Campaign,
        candidates: &'a [Candidate],
        mut rotations: Rotations,
        today: NaiveDate,
        leads: Vec<Lead>,
    ) -> Self {
        rotations.rows.resize(candidates.len(), Rotation::default());
        let kin = kin(&leads);
        let work = leads
            .into_iter()
            .zip(kin)
            .map(|(lead, kin)| Work { lead, kin, picks: Vec::new(), seen: None, done: false })
            .collect();
        Self {
            campaign,
            candidates,
            today,
            before: rotations.rows.clone(),
            rotations,
            work,
            refused: HashMap::new(),
            asked: Vec::new(),
            surplus: Vec::new(),
            rounds: 0,
        }
    }

    /// Puts a buyer out of this batch before it is asked: another campaign of the same moment
    /// learnt that there is no money.
    pub fn refuse(&mut self, buyer: BuyerId, verdict: Verdict) {
        self.refused.entry(buyer).or_insert(verdict);
    }

    /// The holds to ask for next, or `None` when everything is decided. Has to be answered before
    /// it is called again; a batch that is asked twice gives the same list.
    pub fn wanted(&mut self) -> Option<Vec<Want>> {
        if self.asked.is_empty() && self.rounds < MAX_ROUNDS {
            self.ask();
        }
        (!self.asked.is_empty()).then(|| self.asked.clone())
    }

    fn ask(&mut self) {
        let width = self.width();
        let mut trial = self.rotations.clone();
        for at in 0..self.work.len() {
            if self.work[at].done {
                continue;
            }
            let seen = self.evaluate(at, &trial.rows, width);
            let picks = self.picks(&seen);
            if self.work[at].lead.test {
                self.work[at].done = true;
            } else if !picks.is_empty() {
                self.serve(&mut trial, &seen, &picks);
                let asking = if self.campaign.logic == Logic::Broadcast { usize::MAX } else { width };
                self.asked.extend(seen.ranked.iter().take(asking).map(|&candidate| Want { lead: at, candidate }));
            }
            self.work[at].picks = picks;
            self.work[at].seen = Some(seen);
        }
    }

    /// Takes what became of the last [`Batch::wanted`], in its order.
    ///
    /// # Errors
    /// [`ProtocolError`] when there are more or fewer answers than questions; nothing is changed.
    pub fn answer(&mut self, answers: &[Answer]) -> Result<(), ProtocolError> {
        if answers.len() != self.asked.len() {
            return Err(ProtocolError { asked: self.asked.len(), answered: answers.len() });
        }
        let width = self.width();
        self.rounds += 1;
        let asked = std::mem::take(&mut self.asked);
        for (want, answer) in asked.iter().zip(answers) {
            if let Answer::Refused(verdict) = answer {
                self.refuse(self.candidates[want.candidate].buyer, *verdict);
            }
        }
        // Only what was granted counts from here on.
        for work in &mut self.work {
            if !work.done {
                work.picks.clear();
            }
        }
        let mut from = 0;
        while let Some(first) = asked.get(from) {
            let to = asked[from..].iter().position(|want| want.lead != first.lead).map_or(asked.len(), |n| from + n);
            let granted: Vec<usize> =
                (from..to).filter(|&at| answers[at] == Answer::Granted).map(|at| asked[at].candidate).collect();
            self.settle(first.lead, granted, width);
            from = to;
        }
        Ok(())
    }

    /// Gives lead number `at` to whom it belongs of those whose money is held.
    fn settle(&mut self, at: usize, granted: Vec<usize>, width: usize) {
        if granted.is_empty() {
            return;
        }
        let sticky = width == 1 || self.campaign.logic == Logic::Broadcast;
        let (picks, seen) = if sticky {
            (granted, self.work[at].seen.take().unwrap_or_default())
        } else {
            // Several were asked on the quick: who is first now that the leads before it are settled?
            let seen = self.evaluate(at, &self.rotations.rows, width);
            let best = seen.ranked.first().copied();
            let (picks, unneeded): (Vec<_>, Vec<_>) = granted.into_iter().partition(|&one| Some(one) == best);
            self.surplus.extend(unneeded.into_iter().map(|candidate| Want { lead: at, candidate }));
            (picks, seen)
        };
        if !picks.is_empty() {
            let rows = std::mem::take(&mut self.rotations.rows);
            let mut moved = Rotations { next_seq: self.rotations.next_seq, rows };
            self.serve(&mut moved, &seen, &picks);
            self.rotations = moved;
            self.work[at].done = true;
        }
        self.work[at].picks = picks;
        self.work[at].seen = Some(seen);
    }

    /// What was decided. Leads for which no answer came are [`LeadResult::Unfinished`].
    #[must_use]
    pub fn finish(mut self) -> Decided {
        let work = std::mem::take(&mut self.work);
        let mut surplus = std::mem::take(&mut self.surplus);
        // A hold that was put aside may have been asked for again, and used.
        surplus.retain(|want| work[want.lead].done && !work[want.lead].picks.contains(&want.candidate));
        let mut named = HashSet::new();
        surplus.retain(|want| named.insert(*want));
        let leads = work
            .into_iter()
            .map(|one| {
                let nobody = one.seen.as_ref().is_some_and(|seen| seen.ranked.is_empty());
                let result = if one.done && !one.picks.is_empty() {
                    LeadResult::Sold(one.picks.clone())
                } else if nobody {
                    LeadResult::Nobody
                } else {
                    LeadResult::Unfinished
                };
                let trace = self.trace(one);
                (result, trace)
            })
            .collect();
        let changed = self
            .rotations
            .rows
            .iter()
            .zip(&self.before)
            .enumerate()
            .filter(|(_, (now, before))| now != before)
            .map(|(at, (now, _))| (at, *now))
            .collect();
        Decided { leads, changed, rotations: self.rotations, surplus, rounds: self.rounds }
    }

    fn width(&self) -> usize {
        let doublings = self.rounds.saturating_sub(SINGLE_ROUNDS - 1).min(16);
        (1_usize << doublings).min(MAX_WIDTH)
    }

    /// Who of the ranked gets the lead if all of them can pay.
    fn picks(&self, seen: &Evaluation) -> Vec<usize> {
        let winners = if self.campaign.logic == Logic::Broadcast { seen.ranked.len() } else { 1 };
        seen.ranked.iter().copied().take(winners).collect()
    }

    fn evaluate(&self, at: usize, rows: &[Rotation], width: usize) -> Evaluation {
        let work = &self.work[at];
        let logic = self.campaign.logic;
        let kin_had: Vec<BuyerId> = work
            .kin
            .iter()
            .filter(|&&other| !self.work[other].lead.test)
            .flat_map(|&other| self.work[other].picks.iter().map(|&pick| self.candidates[pick].buyer))
            .collect();
        let mut seen = Evaluation::default();
        let mut eligible = Vec::new();
        for (index, candidate) in self.candidates.iter().enumerate() {
            let had = work.lead.already_had.contains(&candidate.buyer) || kin_had.contains(&candidate.buyer);
            let rotation = &rows[index];
            match failed_check(self.campaign, candidate, rotation, &work.lead, self.today, had) {
                Some(verdict) => seen.fail(index, verdict),
                None => match self.refused.get(&candidate.buyer) {
                    Some(verdict) => seen.unfunded.push((index, *verdict)),
                    None => eligible.push(index),
                },
            }
        }
        let share = Share::among(eligible.iter().map(|&index| &self.candidates[index]));
        let order = |a: &usize, b: &usize| {
            compare(logic, share, (&self.candidates[*a], &rows[*a]), (&self.candidates[*b], &rows[*b]))
        };
        if logic == Logic::WeightedRoundRobin {
            seen.sharing.clone_from(&eligible);
        }
        if logic == Logic::Broadcast {
            eligible.sort_unstable_by(order);
            // A buyer with two subscriptions gets the lead once.
            let mut buyers = HashSet::with_capacity(eligible.len());
            for index in eligible {
                if buyers.insert(self.candidates[index].buyer) {
                    seen.ranked.push(index);
                } else {
                    seen.fail(index, Verdict::AlreadyHadLead);
                }
            }
            return seen;
        }
        let keep = width.max(MAX_DETAILED).min(eligible.len());
        if keep > 0 && keep < eligible.len() {
            eligible.select_nth_unstable_by(keep - 1, order);
            seen.more = u32::try_from(eligible.len() - keep).unwrap_or(u32::MAX);
            eligible.truncate(keep);
        }
        eligible.sort_unstable_by(order);
        seen.ranked = eligible;
        seen
    }

    /// Moves the rotation by one lead that goes to `picks`.
    fn serve(&self, rotations: &mut Rotations, seen: &Evaluation, picks: &[usize]) {
        let share = Share::among(seen.sharing.iter().map(|&index| &self.candidates[index]));
        for &index in &seen.sharing {
            let row = &mut rotations.rows[index];
            row.wrr_current = row.wrr_current.saturating_add(share.of(&self.candidates[index]));
        }
        for &index in picks {
            let row = &mut rotations.rows[index];
            if self.campaign.logic == Logic::WeightedRoundRobin {
                row.wrr_current = row.wrr_current.saturating_sub(WRR_ONE);
            }
            row.last_served = rotations.next_seq;
            rotations.next_seq += 1;
            row.sold_today = row.sold_on(self.today).saturating_add(1);
            row.cap_day = row.cap_day.max(Some(self.today));
        }
    }

    fn trace(&self, work: Work) -> Trace {
        let seen = work.seen.unwrap_or_default();
        let mut collector = Collector::default();
        let line = |index: usize, verdict, rank| {
            let candidate = &self.candidates[index];
            CandidateTrace { subscription: candidate.subscription, buyer: candidate.buyer, verdict, rank }
        };
        let mut rank = 0;
        for &index in &work.picks {
            rank += 1;
            collector.push(line(index, Verdict::Chosen, rank));
        }
        for &index in seen.ranked.iter().filter(|index| !work.picks.contains(index)) {
            match self.refused.get(&self.candidates[index].buyer) {
                Some(verdict) => collector.push(line(index, *verdict, 0)),
                None => {
                    rank += 1;
                    collector.push(line(index, Verdict::Outranked, rank));
                }
            }
        }
        collector.count(Verdict::Outranked, seen.more);
        for &(index, verdict) in seen.unfunded.iter().chain(&seen.failed) {
            collector.push(line(index, verdict, 0));
        }
        let mut trace = collector.finish(self.campaign.logic, self.rounds);
        for (verdict, count) in seen.failed_more.finish(self.campaign.logic, 0).others {
            match trace.others.iter_mut().find(|(known, _)| *known == verdict) {
                Some((_, sum)) => *sum = sum.saturating_add(count),
                None => trace.others.push((verdict, count)),
            }
        }
        trace.others.sort_unstable();
        trace
    }
}
