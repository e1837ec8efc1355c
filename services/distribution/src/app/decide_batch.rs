//! Deciding a batch of posted leads.
//!
//! Nearly always this replica knows the campaigns, and nobody else decides in them at the moment. Then no lock is needed: read what
//! is known in one statement, decide, ask for the money, and write in another statement that compares the campaigns' rows with what
//! was read and otherwise writes nothing. When they differ, or a lead is known already, the batch is decided under the campaigns' locks.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use leadflow_contracts::common::Decision;
use leadflow_distribution_domain::LeadResult;
use leadflow_kernel::{CampaignId, LeadId};
use leadflow_messaging::{
    outbox::{self, Pending},
    trace,
};

use super::{
    App, AppError, Posted,
    cache::Campaign,
    duplicates::{Print, Seen, looked_for},
    erase_person::CLOCKS,
    hold_rounds::Granted,
    keep_no_longer::is_late,
    plan::{Plan, batches, plan, prints_of},
    record::{Writes, note_moves, record},
    stored_trace,
};
use crate::{
    metrics,
    store::{erasures, leads, retention, retry, routing, save, view},
};

/// A decided batch that is not written yet.
struct Draft<'a> {
    writes: Writes<'a>,
    answers: Vec<Decision>,
    moved: Vec<Campaign>,
    surplus: Vec<Granted>,
    pending: Pending,
}

/// How an attempt without locks ended.
enum Attempt {
    Done,
    /// Nothing was written; these holds were granted.
    Overtaken(Vec<Granted>),
}

impl App {
    /// Decides every lead of the batch that is not known yet, all or nothing, and answers all.
    ///
    /// # Errors
    /// Nothing was written then (unless the answer to a commit was lost), and the batch may be tried again; holds that
    /// billing granted in between are granted again by the same ids, or released by billing in its time.
    pub async fn decide_batch(&self, posted: &[Posted]) -> Result<(), AppError> {
        let mut campaigns: Vec<CampaignId> = posted.iter().map(|lead| lead.campaign).collect();
        campaigns.sort_unstable();
        campaigns.dedup();
        match self.decide_as_seen(posted, &campaigns).await? {
            Attempt::Done => Ok(()),
            Attempt::Overtaken(granted) => self.decide_locked(posted, &campaigns, granted).await,
        }
    }

    async fn decide_as_seen(&self, posted: &[Posted], campaigns: &[CampaignId]) -> Result<Attempt, AppError> {
        let unknown = || Ok(Attempt::Overtaken(Vec::new()));
        let now = self.clock.now();
        if !self.optimism.tries() || posted.iter().any(|lead| is_late(lead, now)) {
            return unknown();
        }
        let Some(current) = self.cache.guess(campaigns) else { return unknown() };
        let prints: Vec<Vec<Print>> = posted
            .iter()
            .map(|lead| current.get(&lead.campaign).map_or_else(Vec::new, |one| prints_of(one, lead)))
            .collect();
        let ids: Vec<LeadId> = posted.iter().map(|lead| lead.lead).collect();
        let view = view::read(&self.pool, campaigns, &looked_for(posted, &prints), &ids).await?;
        if view.known {
            return unknown();
        }
        let as_kept =
            |guard: &view::Guard| current.get(&guard.campaign).is_some_and(|campaign| campaign.is_as(&guard.routing));
        if view.guards.len() != campaigns.len() || !view.guards.iter().all(as_kept) {
            self.optimism.wrong();
            return unknown();
        }
        let now = self.clock.now();
        let plans = plan(posted, &prints, HashMap::new(), &current, Seen::stored(view.seen), now);
        let mut draft = self.draft(posted, plans, &prints, &current, now).await?;
        draft.writes.rows.guards = view.guards;
        let written = if draft.writes.retry.is_empty() {
            match save::save(&self.pool, &draft.writes.rows, now).await {
                // A lead is known by now: it is answered under the lock.
                Err(error) if is_taken(&error) => false,
                other => other?,
            }
        } else {
            false
        };
        if !written {
            self.optimism.wrong();
            return Ok(Attempt::Overtaken(draft.granted()));
        }
        self.optimism.right();
        self.tell(posted, draft).await;
        Ok(Attempt::Done)
    }

    /// `granted`: holds from an attempt before, of which no assignment came.
    async fn decide_locked(
        &self,
        posted: &[Posted],
        campaigns: &[CampaignId],
        granted: Vec<Granted>,
    ) -> Result<(), AppError> {
        let mut transaction = self.pool.begin().await?;
        let locked = routing::lock(&mut transaction, campaigns).await?;
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
        let draft = self.draft(posted, plans, &prints, &current, now).await?;
        save::save(&mut *transaction, &draft.writes.rows, now).await?;
        let late: Vec<_> =
            posted.iter().filter(|lead| is_late(lead, now)).map(|lead| (lead.seller, lead.received_at)).collect();
        if !late.is_empty() {
            retention::look_back(&mut transaction, &late, now).await?;
            erasures::look_back(&mut transaction, &late, CLOCKS).await?;
        }
        retry::mark(&mut transaction, &draft.writes.retry, now).await?;
        // Before the commit: as soon as the lock is free, a look at unsold leads may sell one on the same hold.
        self.release(&draft.not_sold(granted)).await;
        transaction.commit().await?;
        self.tell(posted, draft).await;
        Ok(())
    }

    /// Asks for the money of what is to be routed, and says what is to be written and answered.
    async fn draft<'a>(
        &self,
        posted: &'a [Posted],
        plans: Vec<Plan>,
        prints: &[Vec<Print>],
        current: &HashMap<CampaignId, Campaign>,
        now: DateTime<Utc>,
    ) -> Result<Draft<'a>, AppError> {
        let batches = batches(posted, &plans, current, now);
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
        let answers = record(posted, plans, prints, current, results, &mut writes, now)?;
        let (told, pending) = outbox::Rows::of(std::mem::take(&mut writes.events));
        writes.rows.told = told;
        Ok(Draft { writes, answers, moved, surplus, pending })
    }

    /// What follows the commit.
    async fn tell(&self, posted: &[Posted], draft: Draft<'_>) {
        metrics::decided(&draft.writes.rows.leads, self.clock.now());
        log_decisions(posted, &draft.answers);
        for campaign in draft.moved {
            self.cache.keep(campaign);
        }
        let answers = posted.iter().map(|lead| lead.reply_subject.as_str()).zip(draft.answers).collect();
        self.answer_gateways(answers).await;
        self.relay.send(draft.pending);
        if !draft.surplus.is_empty() {
            self.release(&draft.surplus).await;
        }
    }
}

impl Draft<'_> {
    /// All holds that were granted for it.
    fn granted(&self) -> Vec<Granted> {
        let sales = self.writes.rows.sales.iter();
        let sold = sales.map(|sale| Granted { seller: sale.seller, lead: sale.lead, id: sale.id });
        sold.chain(self.surplus.iter().copied()).collect()
    }

    /// Of holds from an attempt before, those that nobody needs once this is written: of leads that are decided by it, and
    /// not sold for them. A lead that somebody else decided meanwhile may have been sold for the very same hold.
    fn not_sold(&self, granted: Vec<Granted>) -> Vec<Granted> {
        let needed: HashSet<_> = self.granted().into_iter().map(|hold| hold.id).collect();
        let decided: HashSet<LeadId> = self.writes.rows.leads.iter().map(|lead| lead.id).collect();
        granted.into_iter().filter(|hold| decided.contains(&hold.lead) && !needed.contains(&hold.id)).collect()
    }
}

/// A line for each lead, for whoever follows one.
fn log_decisions(posted: &[Posted], answers: &[Decision]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for (lead, answer) in posted.iter().zip(answers) {
        tracing::debug!(
            lead_id = %lead.lead, trace_id = lead.traceparent.as_deref().and_then(trace::trace_id),
            seller_id = %lead.seller, campaign_id = %lead.campaign, outcome = answer.outcome().as_str_name(),
            reason = answer.reason, buyers = answer.buyers_assigned, test = lead.test, "lead decided"
        );
    }
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
