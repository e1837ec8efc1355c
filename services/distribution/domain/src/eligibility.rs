//! Who may have a lead: the first check a candidate fails. Money is not asked about here.

use chrono::NaiveDate;

use crate::{
    model::{Campaign, Candidate, Lead, Rotation, Status},
    trace::Verdict,
};

/// The first check that `candidate` fails for `lead`, or `None` when it may have it.
/// `had` says whether its buyer has the lead or a duplicate of it.
pub(crate) fn failed_check(
    campaign: &Campaign,
    candidate: &Candidate,
    rotation: &Rotation,
    lead: &Lead,
    today: NaiveDate,
    had: bool,
) -> Option<Verdict> {
    if candidate.status != Status::Active {
        return Some(Verdict::SubscriptionInactive);
    }
    if candidate.buyer_status != Status::Active {
        return Some(Verdict::BuyerInactive);
    }
    if campaign.allow_state_selection && !candidate.states.is_empty() {
        match lead.state {
            None => return Some(Verdict::LeadHasNoState),
            Some(state) if !candidate.states.contains(state) => return Some(Verdict::StateMismatch),
            Some(_) => {}
        }
    }
    if candidate.daily_cap.is_some_and(|cap| rotation.sold_on(today) >= cap) {
        return Some(Verdict::DailyCapReached);
    }
    had.then_some(Verdict::AlreadyHadLead)
}
