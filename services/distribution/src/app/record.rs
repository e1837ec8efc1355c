//! What a decided batch leaves behind: rows, events and answers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_contracts::common::{Decision, Outcome};
use leadflow_distribution_domain::LeadResult;
use leadflow_kernel::{CampaignId, LeadId};
use leadflow_messaging::Envelope;

use super::{
    AppError, Posted,
    cache::Campaign,
    duplicates::Print,
    outcome::{self, Assigned},
    plan::Plan,
    stored_trace,
};
use crate::store::{
    leads::{NewLead, Verdict},
    routing::Moved,
    save,
};

/// Everything that a batch leaves behind.
#[derive(Default)]
pub(super) struct Writes<'a> {
    /// Written together.
    pub(super) rows: save::Batch<'a>,
    /// That tell of it.
    pub(super) events: Vec<Envelope>,
    /// Campaigns that have to be looked at again.
    pub(super) retry: Vec<CampaignId>,
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
pub(super) fn record<'a>(
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
            let same = verdict.is_of(&lead.body_hash) && verdict.supplier == lead.supplier;
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
