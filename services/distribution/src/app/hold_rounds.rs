//! Asking billing for money, round by round, for all campaigns of a batch at once.

use std::collections::HashMap;

use futures::future::try_join_all;
use leadflow_distribution_domain::{Answer, Batch, Decided, Verdict};
use leadflow_kernel::{AssignmentId, LeadId, SellerId, SubscriptionId};

use super::{App, AppError, cache::Campaign};
use crate::outbound::billing::{Hold, HoldOutcome};

/// Leads of one campaign that are to be decided.
pub struct CampaignBatch<'a> {
    /// The campaign.
    pub campaign: &'a Campaign,
    /// Its leads, in the order of `batch`.
    pub leads: Vec<LeadId>,
    /// On its way.
    pub batch: Batch<'a>,
}

/// The assignment of a lead to a subscription: the same for every repeat.
pub fn assignment(lead: LeadId, subscription: SubscriptionId) -> AssignmentId {
    AssignmentId::derive(&[lead.as_bytes(), subscription.as_bytes()])
}

/// A hold that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// The tenant.
    pub seller: SellerId,
    /// For which lead.
    pub lead: LeadId,
    /// The assignment that it would pay for.
    pub id: AssignmentId,
}

impl App {
    /// Asks until every batch is decided. One question a round and tenant. Also returns what was granted and is not needed.
    ///
    /// # Errors
    /// When billing did not answer; nothing may be committed then.
    pub(super) async fn ask_for_money<'a>(
        &self,
        mut batches: Vec<CampaignBatch<'a>>,
        traceparent: Option<&str>,
    ) -> Result<(Vec<(&'a Campaign, Vec<LeadId>, Decided)>, Vec<Granted>), AppError> {
        loop {
            let mut questions: HashMap<SellerId, (Vec<Hold>, Vec<usize>)> = HashMap::new();
            for (at, one) in batches.iter_mut().enumerate() {
                let configuration = &one.campaign.configuration;
                for want in one.batch.wanted().into_iter().flatten() {
                    let candidate = &configuration.candidates[want.candidate];
                    let (holds, asking) = questions.entry(configuration.seller).or_default();
                    holds.push(Hold {
                        id: assignment(one.leads[want.lead], candidate.subscription),
                        buyer: candidate.buyer,
                        lead: one.leads[want.lead],
                        campaign: configuration.id,
                        amount: configuration.rules.price,
                    });
                    asking.push(at);
                }
            }
            if questions.is_empty() {
                break;
            }
            let asked = questions.iter().map(|(seller, (holds, asking))| async move {
                Ok::<_, AppError>((asking, self.holds.place(*seller, holds, traceparent).await?))
            });
            // Each batch's wants were put in their order, so its answers come in theirs.
            let mut answers: HashMap<usize, Vec<Answer>> = HashMap::new();
            for (asking, outcomes) in try_join_all(asked).await? {
                if outcomes.len() != asking.len() {
                    return Err(AppError::Internal("billing answered another number of holds".to_owned()));
                }
                for (at, outcome) in asking.iter().zip(outcomes) {
                    answers.entry(*at).or_default().push(answer(outcome));
                }
            }
            for (at, answers) in answers {
                batches[at].batch.answer(&answers).map_err(|error| AppError::Internal(error.to_string()))?;
            }
        }
        let mut surplus = Vec::new();
        let decided = batches
            .into_iter()
            .map(|one| {
                let decided = one.batch.finish();
                let configuration = &one.campaign.configuration;
                surplus.extend(decided.surplus.iter().map(|want| {
                    let lead = one.leads[want.lead];
                    let id = assignment(lead, configuration.candidates[want.candidate].subscription);
                    Granted { seller: configuration.seller, lead, id }
                }));
                (one.campaign, one.leads, decided)
            })
            .collect();
        Ok((decided, surplus))
    }

    /// Gives back what was held and is not needed. Should this fail, billing finds out by itself.
    pub(super) async fn release(&self, surplus: &[Granted]) {
        let mut by_seller: HashMap<SellerId, Vec<AssignmentId>> = HashMap::new();
        for hold in surplus {
            by_seller.entry(hold.seller).or_default().push(hold.id);
        }
        for (seller, ids) in by_seller {
            if let Err(error) = self.holds.release(seller, &ids).await {
                tracing::debug!(%error, holds = ids.len(), "holds not given back; billing will release them");
            }
        }
    }
}

const fn answer(outcome: HoldOutcome) -> Answer {
    match outcome {
        HoldOutcome::Held | HoldOutcome::AlreadyCaptured => Answer::Granted,
        HoldOutcome::InsufficientFunds => Answer::Refused(Verdict::InsufficientFunds),
        HoldOutcome::WeeklyLimit => Answer::Refused(Verdict::WeeklyLimit),
        HoldOutcome::MonthlyLimit => Answer::Refused(Verdict::MonthlyLimit),
        HoldOutcome::WalletBlocked => Answer::Refused(Verdict::WalletBlocked),
    }
}
