//! Deciding a batch of posted leads: lock, read what is known, decide, write, commit, answer.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_contracts::common::{Decision, Outcome};
use leadflow_distribution_domain::{Batch, Lead, LeadResult, State, day_in};
use leadflow_kernel::{CampaignId, LeadId};
use leadflow_messaging::{Envelope, outbox};

use super::{
    App, AppError, Posted,
    cache::Campaign,
    duplicates::{Duplicate, Print, Seen, prints},
    hold_rounds::CampaignBatch,
    outcome::{self, Assigned},
    stored_trace,
};
use crate::store::{
    leads::{self, NewLead, Verdict},
    retry,
    routing::{self, Moved},
    save,
};

/// What happens to one post of the batch.
enum Plan {
    /// It was decided before.
    Known(Verdict),
    /// The same lead came earlier in this batch.
    Repeat(usize),
    /// A rule refuses it.
    Reject(&'static str, Option<Duplicate>),
    /// It is to be routed.
    Route,
}

/// Everything that a batch leaves behind.
#[derive(Default)]
struct Writes<'a> {
    rows: save::Batch<'a>,
    events: Vec<Envelope>,
    retry: Vec<CampaignId>,
}

impl App {
    /// Decides every lead of the batch that is not known yet, in one transaction, and answers all.
    ///
    /// # Errors
    /// Nothing was written then, and the batch may be tried again; holds that billing granted in
    /// between are granted again by the same ids, or released by billing in its time.
    pub async fn decide_batch(&self, posted: &[Posted]) -> Result<(), AppError> {
        let mut transaction = self.pool.begin().await?;
        let mut campaigns: Vec<CampaignId> = posted.iter().map(|lead| lead.campaign).collect();
        campaigns.sort_unstable();
        campaigns.dedup();
        let locked = routing::lock(&mut transaction, &campaigns).await?;
        // Not before the lock: who waited over midnight decides for the new day.
        let now = self.clock.now();
        // A statement of its own: it sees what the holders of the locks before us committed.
        let ids: Vec<LeadId> = posted.iter().map(|lead| lead.lead).collect();
        let known = leads::known(&mut transaction, &ids).await?;
        let current = self.cache.current(&mut transaction, &locked).await?;
        let prints: Vec<Vec<Print>> = posted
            .iter()
            .map(|lead| {
                let new = !known.contains_key(&lead.lead);
                let campaign = current.get(&lead.campaign).filter(|_| new);
                campaign.map_or_else(Vec::new, |campaign| prints_of(campaign, lead))
            })
            .collect();
        let seen = Seen::load(&mut transaction, posted, &prints).await?;
        let plans = plan(posted, &prints, known, &current, seen, now);

        let batches = batches(posted, &plans, &current, now);
        let traceparent = posted.iter().find_map(|lead| lead.traceparent.as_deref());
        let (decided, surplus) = self.ask_for_money(batches, traceparent).await?;

        let mut writes = Writes::default();
        let mut results: HashMap<LeadId, (LeadResult, Vec<u8>)> = HashMap::new();
        let mut moved = Vec::new();
        for (campaign, leads, decided) in decided {
            note_moves(&mut writes.rows.moved, campaign, &decided);
            if decided.leads.iter().any(|(result, _)| *result == LeadResult::Unfinished) {
                writes.retry.push(campaign.configuration.id);
            }
            moved.push(campaign.moved_to(decided.rotations));
            results.extend(
                leads
                    .into_iter()
                    .zip(decided.leads)
                    .map(|(id, (result, trace))| (id, (result, stored_trace::encode(&trace)))),
            );
        }
        let answers = record(posted, plans, &prints, &current, results, &mut writes, now)?;

        let (told, pending) = outbox::Rows::of(writes.events);
        writes.rows.told = told;
        save::save(&mut transaction, &writes.rows, now).await?;
        retry::mark(&mut transaction, &writes.retry, now).await?;
        transaction.commit().await?;

        for campaign in moved {
            self.cache.keep(campaign);
        }
        let answers = posted.iter().map(|lead| lead.reply_subject.as_str()).zip(answers).collect();
        self.answer_gateways(answers).await;
        self.relay.send(pending);
        if !surplus.is_empty() {
            self.release(surplus).await;
        }
        Ok(())
    }
}

fn prints_of(campaign: &Campaign, lead: &Posted) -> Vec<Print> {
    if campaign.configuration.seller == lead.seller { prints(&campaign.configuration, &lead.data) } else { Vec::new() }
}

fn plan(
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

fn batches<'a>(
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

/// Adds to `moved` what a decided batch moved in its campaign's rotation.
pub(super) fn note_moves(moved: &mut Moved, campaign: &Campaign, decided: &leadflow_distribution_domain::Decided) {
    if decided.changed.is_empty() {
        return;
    }
    let configuration = &campaign.configuration;
    moved.campaigns.push((configuration.id, decided.rotations.next_seq));
    moved.rows.extend(
        decided.changed.iter().map(|(at, row)| (configuration.id, configuration.candidates[*at].subscription, *row)),
    );
}

/// Fills `writes` with what was decided and gives back the answers, in the order of the posts.
fn record<'a>(
    posted: &'a [Posted],
    plans: Vec<Plan>,
    prints: &[Vec<Print>],
    current: &HashMap<CampaignId, Campaign>,
    mut results: HashMap<LeadId, (LeadResult, Vec<u8>)>,
    writes: &mut Writes<'a>,
    now: DateTime<Utc>,
) -> Result<Vec<Decision>, AppError> {
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(posted.len());
    for (at, (lead, plan)) in posted.iter().zip(plans).enumerate() {
        let verdict = match plan {
            Plan::Known(verdict) => verdict,
            Plan::Repeat(earlier) => verdicts[earlier].clone(),
            Plan::Reject(reason, duplicate) => {
                let trace =
                    duplicate.map(|found| stored_trace::encode_duplicate(found.of, &found.field)).unwrap_or_default();
                let verdict = verdict(lead, Outcome::Rejected, reason, 0, None);
                write_lead(writes, lead, &verdict, trace, None);
                if !lead.test {
                    let event =
                        outcome::decided_event(lead.seller, lead.campaign, &verdict, now, lead.traceparent.as_deref());
                    writes.events.push(event);
                }
                verdict
            }
            Plan::Route => {
                let (Some(campaign), Some((result, trace))) = (current.get(&lead.campaign), results.remove(&lead.lead))
                else {
                    return Err(AppError::Internal("a lead was not decided".to_owned()));
                };
                route(writes, lead, campaign, &result, trace, &prints[at], now)?
            }
        };
        verdicts.push(verdict);
    }
    Ok(posted
        .iter()
        .zip(&verdicts)
        .map(|(lead, verdict)| {
            let same = verdict.body_hash == lead.body_hash && verdict.supplier == lead.supplier;
            if same { outcome::decision(verdict) } else { outcome::conflict(lead.lead) }
        })
        .collect())
}

fn route<'a>(
    writes: &mut Writes<'a>,
    lead: &'a Posted,
    campaign: &Campaign,
    result: &LeadResult,
    trace: Vec<u8>,
    prints: &[Print],
    now: DateTime<Utc>,
) -> Result<Verdict, AppError> {
    let configuration = &campaign.configuration;
    let sales = outcome::sales(configuration, lead.lead, result);
    let traceparent = lead.traceparent.as_deref();
    if sales.is_empty() {
        let verdict = verdict(lead, Outcome::Unsold, outcome::NO_ELIGIBLE_BUYER, 0, None);
        let expires_at = (!lead.test).then(|| lead.received_at + configuration.time_to_live);
        write_lead(writes, lead, &verdict, trace, expires_at);
        if !lead.test {
            writes.events.push(outcome::decided_event(lead.seller, lead.campaign, &verdict, now, traceparent));
            writes.rows.prints.extend(prints.iter().map(|print| (lead.campaign, print.hash, lead.lead)));
        }
        return Ok(verdict);
    }
    let price = outcome::total(configuration.rules.price, sales.len())?;
    let outcome = if lead.test { Outcome::Test } else { Outcome::Distributed };
    let verdict = verdict(lead, outcome, "", sales.len(), Some(price));
    write_lead(writes, lead, &verdict, trace, None);
    if !lead.test {
        let assigned = Assigned {
            lead: lead.lead,
            supplier: lead.supplier,
            state: &lead.state,
            quality: &lead.quality,
            data: &lead.data,
            received_at: lead.received_at,
            traceparent,
        };
        writes.events.extend(outcome::assigned_events(configuration, assigned, &sales, now));
        writes.rows.prints.extend(prints.iter().map(|print| (lead.campaign, print.hash, lead.lead)));
        writes.rows.sales.extend(sales);
    }
    Ok(verdict)
}

fn verdict(
    lead: &Posted,
    outcome: Outcome,
    reason: &str,
    buyers: usize,
    price: Option<leadflow_kernel::Money>,
) -> Verdict {
    Verdict {
        lead: lead.lead,
        supplier: lead.supplier,
        outcome,
        reason: reason.to_owned(),
        buyers_assigned: u32::try_from(buyers).unwrap_or(u32::MAX),
        price,
        test: lead.test,
        reference: lead.reference.clone(),
        body_hash: lead.body_hash.clone(),
    }
}

fn write_lead<'a>(
    writes: &mut Writes<'a>,
    lead: &'a Posted,
    verdict: &Verdict,
    trace: Vec<u8>,
    expires_at: Option<DateTime<Utc>>,
) {
    writes.rows.leads.push(NewLead {
        id: lead.lead,
        seller: lead.seller,
        supplier: lead.supplier,
        campaign: lead.campaign,
        category: lead.category,
        received_at: lead.received_at,
        expires_at,
        outcome: verdict.outcome,
        test: lead.test,
        buyers_assigned: verdict.buyers_assigned,
        price: verdict.price,
        reason: verdict.reason.clone(),
        state: &lead.state,
        quality: &lead.quality,
        reference: &lead.reference,
        body_hash: &lead.body_hash,
        data: &lead.data,
        raw: lead.raw.as_deref(),
        unknown_fields: (!lead.unknown_fields.is_empty())
            .then(|| serde_json::Value::from(lead.unknown_fields.clone()).to_string()),
        trace,
        traceparent: lead.traceparent.as_deref(),
    });
}
