//! Results of attempts: the delivery's new state, the attempt, the endpoint's health and the events
//! of it, for whatever number of results there is, in one transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_kernel::{DeliveryId, EndpointId};
use leadflow_messaging::Envelope;
use leadflow_notifier_domain::{EventKind, Health, MAX_ATTEMPTS, Outcome, classify, meaning, pause_after};

use super::{
    Notifier,
    audit::{self, TRAIL},
    log_deliveries,
};
use crate::{
    metrics,
    model::{Attempt, DeliveryKey, End, Finished, Job, SaleKey},
    outbound::events,
    store::{
        attempts::AttemptRow,
        deliveries::{self, Ending, Status},
        health::{self, Ailing, NewHealth},
        refusals,
    },
};

/// What is recorded of a delivery that its receiver refused, before the reason.
const DUPLICATE: &str = "the receiver has this person already: ";
const REJECTED: &str = "the receiver does not take it: ";

impl Notifier {
    /// Records `results`. A result whose lease has passed to somebody else changes nothing.
    ///
    /// # Errors
    /// Those of PostgreSQL; nothing is recorded then.
    pub async fn record_results(&self, results: &[Finished]) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut endings = Vec::with_capacity(results.len());
        let mut given_back = Vec::new();
        let mut attempted = Vec::new();
        for finished in results {
            match &finished.end {
                End::Attempted(attempt) => {
                    let outcome = classify(&attempt.reply, finished.job.context(attempt));
                    endings.push(ending(finished, attempt, &outcome, now));
                    attempted.push((finished.job.endpoint.id, finished.job.key.id, attempt.started_at, outcome));
                }
                End::EndpointOff(reason) => endings.push(ended_unsent(finished, reason, now)),
                End::GivenBack => {
                    given_back.push((finished.job.key.id, finished.job.lease, finished.job.taken_over));
                }
            }
        }
        // Sales that may have to be given back, by the delivery that ends without having arrived.
        let by_delivery: HashMap<DeliveryId, &Finished> = results.iter().map(|f| (f.job.key.id, f)).collect();
        let missed: HashMap<DeliveryId, (&Job, SaleKey)> = endings
            .iter()
            .filter(|ending| matches!(ending.status, Status::Refused | Status::GaveUp))
            .filter_map(|ending| by_delivery.get(&ending.delivery))
            .filter(|finished| finished.job.key.event == EventKind::LeadAssigned)
            .filter_map(|finished| Some((finished.job.key.id, (&finished.job, finished.job.key.sale?))))
            .collect();
        let mut transaction = deliveries::begin_without_waiting_for_the_disk(&self.pool).await?;
        if !missed.is_empty() {
            let sales: Vec<_> = missed.values().map(|(_, sale)| sale.assignment).collect();
            refusals::take_turns(&mut transaction, &sales).await?;
        }
        // Endpoints first, then deliveries, everywhere: no two recorders can wait for each other.
        let failed: Vec<EndpointId> =
            attempted.iter().filter(|(.., outcome)| !outcome.works()).map(|(endpoint, ..)| *endpoint).collect();
        let all: Vec<EndpointId> = attempted.iter().map(|(endpoint, ..)| *endpoint).collect();
        let ailing =
            if all.is_empty() { Vec::new() } else { health::lock_ailing(&mut transaction, &all, &failed).await? };
        let stored =
            if endings.is_empty() { HashMap::new() } else { deliveries::finish(&mut transaction, &endings).await? };
        if !given_back.is_empty() {
            deliveries::give_back(&mut transaction, &given_back, now).await?;
        }
        let stale = endings.len() - stored.len();
        if stale > 0 {
            tracing::warn!(stale, "results came after their lease had passed to another worker; dropped");
        }

        attempted.retain(|(_, delivery, ..)| stored.contains_key(delivery));
        let (mut sent, mut refused) = (Vec::new(), Vec::new());
        let mut told = self.change_health(&mut transaction, &ailing, &attempted, now).await?;
        for ending in endings.iter().filter(|e| e.status != Status::Pending && stored.contains_key(&e.delivery)) {
            let Some(finished) = by_delivery.get(&ending.delivery) else { continue };
            let job = &finished.job;
            let error = (ending.status != Status::Delivered).then_some(ending.error.as_str());
            let attempts = (u32::try_from(ending.attempts_made).unwrap_or(0), job.attempts_before);
            let trace = job.traceparent.as_deref();
            told.push(events::delivery_ended(&job.key, job.endpoint.id, attempts, error, now, trace));
            if job.arrived {
                // Sent again: paid for already, and the lead is the buyer's, whatever he says now.
                continue;
            }
            // It was answered, whatever it said.
            if let (Status::Delivered | Status::Refused, End::Attempted(attempt)) = (ending.status, &finished.end) {
                sent.push(events::webhook_sent(&job.key, attempt.started_at, trace));
            }
        }
        let ended: Vec<DeliveryId> = missed.keys().filter(|delivery| stored.contains_key(delivery)).copied().collect();
        if !ended.is_empty() {
            for refusal in refusals::of(&mut transaction, &ended).await? {
                let Some((job, sale)) = missed.get(&refusal.asked) else { continue };
                let key = DeliveryKey { id: refusal.refused, ..job.key };
                let (duplicate, because) = match refusal.error.strip_prefix(DUPLICATE) {
                    Some(because) => (true, because),
                    None => (false, refusal.error.strip_prefix(REJECTED).unwrap_or(&refusal.error)),
                };
                let event = events::lead_refused(&key, *sale, duplicate, because, now, job.traceparent.as_deref());
                // Two of one sale may end together.
                if refused.iter().all(|told: &Envelope| told.id != event.id) {
                    refused.push(event);
                }
            }
        }
        // Events of one kind beside each other are one message of the stream.
        told.append(&mut sent);
        told.append(&mut refused);
        let pending = self.outbox.append(&mut transaction, told).await?;
        transaction.commit().await?;
        for ending in endings.iter().filter(|ending| stored.contains_key(&ending.delivery)) {
            metrics::delivery(ending.status);
            let (first, received) = (by_delivery.get(&ending.delivery), stored.get(&ending.delivery));
            let first = first.is_some_and(|finished| !finished.job.arrived && finished.job.attempts_before == 0);
            if let (Status::Delivered, true, Some(Some(received))) = (ending.status, first, received) {
                metrics::arrived("WEBHOOK", *received, now);
            }
        }
        let recorded = endings.iter().filter(|ending| stored.contains_key(&ending.delivery));
        log_deliveries::recorded(recorded.filter_map(|e| Some((*by_delivery.get(&e.delivery)?, e))));
        self.relay.send(pending);
        Ok(())
    }

    async fn change_health(
        &self,
        transaction: &mut sqlx::PgConnection,
        ailing: &[Ailing],
        attempted: &[(EndpointId, DeliveryId, DateTime<Utc>, Outcome)],
        now: DateTime<Utc>,
    ) -> Result<Vec<Envelope>, sqlx::Error> {
        let (mut changes, mut disabled, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for endpoint in ailing {
            let mut known = Health::known(endpoint.failing_since);
            for (_, _, started_at, outcome) in attempted.iter().filter(|(id, ..)| *id == endpoint.id) {
                match outcome {
                    Outcome::Delivered | Outcome::Refused { .. } => known.success(),
                    Outcome::Failed { .. } => known.failure(*started_at),
                    Outcome::Gone => known.gone(*started_at),
                }
            }
            let Some(change) = known.change(endpoint.failing_since, now) else { continue };
            let reason = change.disable.map(|reason| reason.text());
            changes.push(NewHealth { id: endpoint.id, failing_since: change.failing_since, disable: reason });
            if let Some(reason) = reason {
                disabled.push(endpoint.id);
                metrics::endpoint_disabled();
                tracing::warn!(endpoint_id = %endpoint.id, seller_id = %endpoint.seller, reason, "endpoint switched off");
                TRAIL.write(transaction, Some(endpoint.seller), now, audit::disabled(endpoint, reason)).await?;
                told.push(events::endpoint_disabled(endpoint, change.failing_since, reason, now));
            }
        }
        if !changes.is_empty() {
            health::set_health(transaction, &changes, now).await?;
        }
        if !disabled.is_empty() {
            deliveries::make_due(transaction, &disabled, now).await?;
        }
        Ok(told)
    }
}

fn ending(finished: &Finished, attempt: &Attempt, outcome: &Outcome, now: DateTime<Utc>) -> Ending {
    let number = finished.job.attempts_made + 1;
    let round = number.saturating_sub(finished.job.attempts_before);
    let (status, due_at, error) = match outcome {
        Outcome::Delivered => (Status::Delivered, None, String::new()),
        Outcome::Refused { duplicate: true, because } => (Status::Refused, None, format!("{DUPLICATE}{because}")),
        Outcome::Refused { because, .. } => (Status::Refused, None, format!("{REJECTED}{because}")),
        Outcome::Gone => (Status::GaveUp, None, "the receiver answered 410".to_owned()),
        Outcome::Failed { error, trouble } => match pause_after(round, *trouble, rand::random()) {
            Some(pause) => (Status::Pending, Some(now + pause), String::new()),
            None => (Status::GaveUp, None, format!("{MAX_ATTEMPTS} attempts failed; the last: {error}")),
        },
    };
    let (status, error) = still_arrived(&finished.job, status, error);
    let why = match outcome {
        Outcome::Delivered => String::new(),
        Outcome::Refused { because, .. } => because.clone(),
        Outcome::Gone => error.clone(),
        Outcome::Failed { error, .. } => error.clone(),
    };
    let read = meaning(&attempt.reply, finished.job.context(attempt));
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    Ending {
        delivery: finished.job.key.id,
        lease: finished.job.lease,
        status,
        attempts_made: number,
        due_at,
        error,
        at: now,
        attempt: Some(AttemptRow {
            delivery: finished.job.key.id,
            number,
            started_at: attempt.started_at,
            duration_ms: i32::try_from(attempt.duration_ms).unwrap_or(i32::MAX),
            status_code: i32::from(attempt.status_code),
            error: why,
            response: attempt.response.clone(),
            meaning: read.map_or_else(String::new, |meaning| meaning.text().to_owned()),
            note: attempt.note().to_owned(),
        }),
    }
}

/// What had arrived before it was sent again has arrived, whatever came of that.
fn still_arrived(job: &Job, status: Status, error: String) -> (Status, String) {
    match status {
        Status::Refused | Status::GaveUp if job.arrived => (Status::Delivered, format!("sent again: {error}")),
        _ => (status, error),
    }
}

fn ended_unsent(finished: &Finished, reason: &str, now: DateTime<Utc>) -> Ending {
    let (status, error) = still_arrived(&finished.job, Status::GaveUp, reason.to_owned());
    Ending {
        delivery: finished.job.key.id,
        lease: finished.job.lease,
        status,
        attempts_made: i32::try_from(finished.job.attempts_made).unwrap_or(i32::MAX),
        due_at: None,
        error,
        at: now,
        attempt: None,
    }
}
