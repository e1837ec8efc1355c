//! What happens to each post of a batch, as far as no money is asked for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_distribution_domain::{Batch, Lead, State, day_in};
use leadflow_kernel::{CampaignId, LeadId};

use super::{
    Posted,
    cache::Campaign,
    duplicates::{Duplicate, Print, Seen, prints},
    hold_rounds::CampaignBatch,
    outcome,
};
use crate::store::leads::Verdict;

/// What happens to one post of the batch.
pub(super) enum Plan {
    /// It was decided before.
    Known(Verdict),
    /// The same lead came earlier in this batch.
    Repeat(usize),
    /// A rule refuses it.
    Reject(&'static str, Option<Duplicate>),
    /// It is to be routed.
    Route,
}

/// The fingerprints that a post leaves in its campaign.
pub(super) fn prints_of(campaign: &Campaign, lead: &Posted) -> Vec<Print> {
    if campaign.configuration.seller == lead.seller { prints(&campaign.configuration, &lead.data) } else { Vec::new() }
}

/// What happens to each post, in their order.
pub(super) fn plan(
    posted: &[Posted],
    prints: &[Vec<Print>],
    mut known: HashMap<LeadId, Verdict>,
    current: &HashMap<CampaignId, Campaign>,
    mut seen: Seen,
    now: DateTime<Utc>,
) -> Vec<Plan> {
    let mut first: HashMap<LeadId, usize> = HashMap::new();
    posted
        .iter()
        .enumerate()
        .map(|(at, lead)| {
            if let Some(&earlier) = first.get(&lead.lead) {
                return Plan::Repeat(earlier);
            }
            first.insert(lead.lead, at);
            if let Some(verdict) = known.remove(&lead.lead) {
                return Plan::Known(verdict);
            }
            let own = |campaign: &&Campaign| campaign.configuration.seller == lead.seller;
            let Some(campaign) = current.get(&lead.campaign).filter(own) else {
                return Plan::Reject(outcome::CAMPAIGN_UNKNOWN, None);
            };
            if let Some(reason) = outcome::closed(&campaign.configuration) {
                return Plan::Reject(reason, None);
            }
            match seen.check(lead, &prints[at], campaign, now) {
                Some(duplicate) => Plan::Reject(outcome::DUPLICATE, Some(duplicate)),
                None => Plan::Route,
            }
        })
        .collect()
}

/// The leads that are to be routed, by campaign.
pub(super) fn batches<'a>(
    posted: &[Posted],
    plans: &[Plan],
    current: &'a HashMap<CampaignId, Campaign>,
    now: DateTime<Utc>,
) -> Vec<CampaignBatch<'a>> {
    let mut by_campaign: HashMap<CampaignId, (Vec<LeadId>, Vec<Lead>)> = HashMap::new();
    for (lead, plan) in posted.iter().zip(plans) {
        if matches!(plan, Plan::Route) {
            let (ids, leads) = by_campaign.entry(lead.campaign).or_default();
            ids.push(lead.lead);
            leads.push(Lead { state: State::parse(&lead.state), test: lead.test, ..Lead::default() });
        }
    }
    by_campaign
        .into_iter()
        .filter_map(|(id, (ids, leads))| {
            let campaign = current.get(&id)?;
            let configuration = &campaign.configuration;
            let today = day_in(configuration.zone, now);
            let rotations = campaign.rotations.clone();
            let batch = Batch::new(&configuration.rules, &configuration.candidates, rotations, today, leads);
            Some(CampaignBatch { campaign, leads: ids, batch })
        })
        .collect()
}
