//! Looking again at leads that nobody bought, because something changed that may sell them.

use chrono::{NaiveDate, TimeDelta};
use leadflow_distribution_domain::{Batch, Lead, LeadResult, State, day_in};
use leadflow_kernel::{CampaignId, SellerId};
use leadflow_messaging::trace;
use sqlx::PgConnection;

use super::{
    App, AppError,
    cache::Campaign,
    duplicates::prints,
    hold_rounds::CampaignBatch,
    outcome::{self, Assigned},
    record::note_moves,
    stored_trace,
};
use crate::{
    metrics,
    outbound::billing::HoldsError,
    store::{
        projections, retry, routing,
        sale_later::{self, Sold, Unsold},
        save,
    },
};

/// Leads looked at in one transaction.
const LEADS: i64 = 256;
/// Campaigns looked at in one step.
const CAMPAIGNS: i64 = 16;
/// When to try again after more buyers were without money than could be asked.
const UNFINISHED_PAUSE: TimeDelta = TimeDelta::minutes(1);
/// When to try again after a campaign failed for a reason of its own.
const FAILED_PAUSE: TimeDelta = TimeDelta::minutes(1);

impl App {
    /// One batch of each campaign that is due, the oldest leads first. Returns whether there was
    /// anything to do. Any number of replicas may do this at once.
    ///
    /// # Errors
    /// What was not committed is done by a later step.
    pub async fn retry_unsold(&self) -> Result<bool, AppError> {
        let mut connection = self.pool.acquire().await?;
        let due = retry::due(&mut connection, self.clock.now(), CAMPAIGNS).await?;
        drop(connection);
        for &campaign in &due {
            match self.retry_campaign(campaign).await {
                Ok(()) => {}
                Err(AppError::Holds(HoldsError::Refused(error)) | AppError::Internal(error)) => {
                    // It would be the first again, and stand in the way of all others for as long as it fails.
                    tracing::error!(campaign_id = %campaign, error, "unsold leads cannot be looked at; put off");
                    let mut connection = self.pool.acquire().await?;
                    retry::put_off(&mut connection, campaign, self.clock.now() + FAILED_PAUSE).await?;
                }
                Err(away) => return Err(away),
            }
        }
        Ok(!due.is_empty())
    }

    async fn retry_campaign(&self, id: CampaignId) -> Result<(), AppError> {
        let mut transaction = self.pool.begin().await?;
        let locked = routing::lock(&mut transaction, &[id]).await?;
        // Not before the lock: who waited over midnight decides for the new day.
        let now = self.clock.now();
        let Some(mut pass) = retry::lock(&mut transaction, id, now).await? else { return Ok(()) };
        let current = self.cache.current(&mut transaction, &locked).await?;
        let open = current.get(&id).filter(|campaign| outcome::closed(&campaign.configuration).is_none());
        let Some(campaign) = open else {
            // Whatever opens it asks for a pass.
            retry::clear(&mut transaction, id).await?;
            return Ok(transaction.commit().await?);
        };
        if pass.pass == 0 {
            (pass.pass, pass.cursor) = (pass.wanted, None);
        }
        // What is being decided now was refused before, perhaps for what this pass is made for: it would be added behind the pass.
        routing::forestall(&mut transaction, &[id]).await?;
        let unsold = sale_later::lock_after(&mut transaction, id, pass.cursor, now, LEADS).await?;
        let batch = batch(campaign, &unsold, now);
        let traceparent = unsold.first().and_then(|lead| lead.traceparent.as_deref());
        let (decided, surplus) = self.ask_for_money(vec![batch], traceparent).await?;

        let mut rows = save::Batch::default();
        let (mut sold, mut traces, mut events) = (Vec::new(), Vec::new(), Vec::new());
        let (mut unfinished, mut kept) = (false, Vec::new());
        for (campaign, _, decided) in decided {
            let configuration = &campaign.configuration;
            note_moves(&mut rows.moved, campaign, &decided);
            for (lead, (result, trace)) in unsold.iter().zip(&decided.leads) {
                unfinished |= *result == LeadResult::Unfinished;
                let trace = stored_trace::encode(trace);
                let made = outcome::sales(configuration, lead.id, result);
                if made.is_empty() {
                    if trace != lead.trace {
                        traces.push((lead.id, lead.received_at, trace));
                    }
                    continue;
                }
                let price = outcome::total(configuration.rules.price, made.len())?;
                let buyers_assigned = u32::try_from(made.len()).unwrap_or(u32::MAX);
                sold.push(Sold { lead: lead.id, received_at: lead.received_at, buyers_assigned, price, trace });
                events.extend(outcome::assigned_events(configuration, assigned(lead), &made, now));
                rows.sales.extend(made);
            }
            kept.push(campaign.moved_to(decided.rotations));
        }
        sale_later::update(&mut transaction, &sold, &traces, now).await?;
        save::save(&mut *transaction, &rows, now).await?;
        let more = i64::try_from(unsold.len()).unwrap_or(LEADS) >= LEADS;
        match unsold.last().filter(|_| more) {
            Some(last) => pass.cursor = Some((last.received_at, last.id)),
            None => (pass.pass, pass.cursor) = (if pass.wanted > pass.pass { 0 } else { -1 }, None),
        }
        if pass.pass < 0 {
            retry::clear(&mut transaction, id).await?;
        } else {
            retry::save(&mut transaction, id, pass, now).await?;
        }
        if unfinished {
            retry::mark(&mut transaction, &[id], now + UNFINISHED_PAUSE).await?;
        }
        let pending = self.outbox.append(&mut transaction, events).await?;
        transaction.commit().await?;
        metrics::sold_later(sold.len());
        log_sold(&unsold, &sold);
        for campaign in kept {
            self.cache.keep(campaign);
        }
        self.relay.send(pending);
        self.release(&surplus).await;
        Ok(())
    }

    /// Asks for another look at the leads of tenants whose day has begun: caps and spending limits
    /// are new. Returns how many tenants.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn begin_days(&self) -> Result<usize, AppError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let begun: Vec<(SellerId, NaiveDate)> = retry::seller_days(&mut transaction)
            .await?
            .into_iter()
            .filter_map(|(seller, zone, last)| {
                let today = day_in(zone, now);
                last.is_none_or(|last| last < today).then_some((seller, today))
            })
            .collect();
        if begun.is_empty() {
            return Ok(0);
        }
        let sellers = retry::begin_days(&mut transaction, &begun).await?;
        let campaigns = projections::campaigns_of(&mut transaction, &sellers, &[]).await?;
        retry::mark(&mut transaction, &campaigns, now).await?;
        transaction.commit().await?;
        self.retry_wanted.notify_one();
        Ok(sellers.len())
    }

    /// Asks for another look at everything for sale: a net below the events, should one of them not tell of
    /// a change. Returns how many campaigns.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn retry_everything(&self) -> Result<usize, AppError> {
        let mut connection = self.pool.acquire().await?;
        let campaigns = retry::campaigns_with_unsold(&mut connection).await?;
        self.look_again(&mut connection, &campaigns).await?;
        Ok(campaigns.len())
    }

    /// Asks for another look at the unsold leads of these campaigns.
    pub(super) async fn look_again(
        &self,
        connection: &mut PgConnection,
        campaigns: &[CampaignId],
    ) -> Result<(), sqlx::Error> {
        retry::mark(connection, campaigns, self.clock.now()).await?;
        self.retry_wanted.notify_one();
        Ok(())
    }
}

fn batch<'a>(campaign: &'a Campaign, unsold: &[Unsold], now: chrono::DateTime<chrono::Utc>) -> CampaignBatch<'a> {
    let configuration = &campaign.configuration;
    let leads = unsold
        .iter()
        .map(|lead| Lead {
            state: State::parse(&lead.state),
            // The rule may be younger than the leads.
            fingerprints: prints(configuration, &lead.data).iter().map(|print| print.hash.to_string()).collect(),
            already_had: lead.had_by.clone(),
            ..Lead::default()
        })
        .collect();
    let today = day_in(configuration.zone, now);
    let rotations = campaign.rotations.clone();
    CampaignBatch {
        campaign,
        leads: unsold.iter().map(|lead| lead.id).collect(),
        batch: Batch::new(&configuration.rules, &configuration.candidates, rotations, today, leads),
    }
}

/// A line for each lead, for whoever follows one.
fn log_sold(unsold: &[Unsold], sold: &[Sold]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    // Both are in the same order.
    let mut sold = sold.iter().peekable();
    for lead in unsold {
        if let Some(Sold { buyers_assigned: buyers, .. }) = sold.next_if(|sold| sold.lead == lead.id) {
            let trace_id = lead.traceparent.as_deref().and_then(trace::trace_id);
            tracing::debug!(lead_id = %lead.id, trace_id, buyers, "lead sold later");
        }
    }
}

fn assigned(lead: &Unsold) -> Assigned<'_> {
    Assigned {
        lead: lead.id,
        supplier: lead.supplier,
        state: &lead.state,
        quality: &lead.quality,
        data: &lead.data,
        received_at: lead.received_at,
        traceparent: lead.traceparent.as_deref(),
    }
}
