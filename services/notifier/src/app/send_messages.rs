//! Sends messages that are due: each is taken with a lease, sent outside of any transaction, and its end recorded.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream::FuturesUnordered};
use leadflow_messaging::trace;
use leadflow_notifier_domain::{Pace, Turns, message_pause};
use uuid::Uuid;

use super::Notifier;
use crate::{
    outbound::carrier::{Carrier, NotSent, Sent, Written},
    store::{
        message_leases::{self, Claim},
        messages::{self, MessageAttempt, MessageJob, MessageResult, MessageStatus, Taken},
        suppressions::{self, NewSuppression},
    },
};

/// The most that are taken, and sent, at once; a worker takes more when these have ended.
const BATCH: usize = 16;

/// The messages of one channel, their carrier, and how fast it may be given them.
pub struct Queue<C> {
    carrier: C,
    pace: Mutex<(Pace, Turns)>,
}

impl<C: Carrier> Queue<C> {
    /// At most `per_second` messages a second on this replica.
    #[must_use]
    pub fn new(carrier: C, per_second: u32) -> Self {
        Self { carrier, pace: Mutex::new((Pace::new(per_second), Turns::default())) }
    }

    /// Who sends them.
    #[must_use]
    pub const fn carrier(&self) -> &C {
        &self.carrier
    }

    /// How many may be taken now, and how many of them are for what has failed before.
    fn take(&self, now: DateTime<Utc>) -> (usize, usize) {
        let (pace, turns) = &mut *self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let room = pace.take(BATCH, now);
        (room, turns.kept(room))
    }

    fn give_back(&self, unused: usize) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).0.give_back(unused);
    }
}

impl Notifier {
    /// Takes and sends what is due, as much as the pace allows and at most a batch. Returns how many messages were taken.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn send_messages<C: Carrier>(&self, queue: &Queue<C>) -> Result<usize, sqlx::Error> {
        let (now, lease, channel) = (self.clock.now(), Uuid::now_v7(), queue.carrier.channel());
        if !queue.carrier.is_ready() {
            return Ok(0);
        }
        let (limit, again) = queue.take(now);
        if limit == 0 {
            return Ok(0);
        }
        let mut connection = self.pool.acquire().await?;
        let claim = Claim { channel, lease, now, leased_until: now + self.message_lease, limit, again };
        let jobs = message_leases::claim(&mut connection, &claim).await;
        queue.give_back(limit - jobs.as_ref().map_or(0, Vec::len));
        let jobs = jobs?;
        if jobs.len() == BATCH {
            // There may be more, and another of the loops may be waiting.
            self.wakes.of(channel).notify_one();
        }
        let written: Vec<_> = jobs.into_iter().map(|job| (queue.carrier.write(&job, now), job)).collect();
        let recipients: Vec<String> = written
            .iter()
            .filter_map(|(written, _)| match written {
                Written::Letter { to, .. } => Some(suppressions::plain(to)),
                _ => None,
            })
            .collect();
        let dead = if recipients.is_empty() {
            std::collections::HashMap::new()
        } else {
            suppressions::among(&mut connection, channel, &recipients).await?
        };
        drop(connection);
        let taken = written.len();
        let ending: FuturesUnordered<_> = written
            .iter()
            .map(async |(written, job)| match (&job.taken, written) {
                (Some(taken), _) => taken_before(job, taken),
                (None, Written::Letter { to, letter, units }) => match dead.get(&suppressions::plain(to)) {
                    Some(why) => ended(job, MessageStatus::Suppressed, why.clone(), kept(job, to)),
                    None => self.attempt(&queue.carrier, job, to, letter, *units).await,
                },
                (None, Written::Never(why)) => ended(job, MessageStatus::Suppressed, why.clone(), String::new()),
                (None, Written::NotBefore(at)) => waits(job, *at),
                (None, Written::NotYet(why)) => self.failed(job, why.clone(), None, String::new()),
            })
            .collect();
        // Those that end together are recorded together, and one that takes long holds up no record.
        let mut ended = ending.ready_chunks(BATCH);
        while let Some(results) = ended.next().await {
            self.record_messages(&results).await?;
        }
        Ok(taken)
    }

    async fn attempt<C: Carrier>(
        &self,
        carrier: &C,
        job: &MessageJob,
        to: &str,
        letter: &C::Letter,
        units: u32,
    ) -> MessageResult {
        let (started_at, clock) = (self.clock.now(), Instant::now());
        let sent = self.hand_over(carrier, job, to, letter).await;
        let duration_ms = u32::try_from(clock.elapsed().as_millis()).unwrap_or(u32::MAX);
        let (message_id, attempt) = (job.key.id, job.attempts_made + 1);
        let lead_id = job.key.lead.map(tracing::field::display);
        let trace_id = job.traceparent.as_deref().and_then(trace::trace_id);
        let end = |status, why| ended(job, status, why, kept(job, to));
        let (result, status_code) = match sent {
            Ok(sent) => {
                tracing::debug!(lead_id, trace_id, %message_id, attempt, "message sent");
                let result = end(MessageStatus::Sent, String::new());
                let units = sent.units.unwrap_or(units);
                (MessageResult { provider_id: sent.provider_id, units, ..result }, sent.status_code)
            }
            Err(NotSent::Refused { status_code, why }) => {
                tracing::warn!(lead_id, trace_id, %message_id, attempt, why = own_words(&why), "message refused");
                (end(MessageStatus::Refused, why), status_code)
            }
            Err(NotSent::Unreachable { status_code, why, stopped }) => {
                tracing::warn!(lead_id, trace_id, %message_id, attempt, why = own_words(&why), "nothing is sent to its recipient any more");
                let status = if stopped { MessageStatus::Suppressed } else { MessageStatus::Refused };
                let suppress = NewSuppression {
                    channel: job.key.channel,
                    recipient: suppressions::plain(to),
                    reason: if stopped { "STOPPED" } else { "BOUNCED" },
                    detail: why.clone(),
                    at: self.clock.now(),
                };
                (MessageResult { suppress: Some(suppress), ..end(status, why) }, status_code)
            }
            Err(NotSent::Later { status_code, why, retry_after, unsure }) => {
                tracing::warn!(lead_id, trace_id, %message_id, attempt, why = own_words(&why), unsure, "message not sent yet");
                let result = self.failed(job, why, retry_after, kept(job, to));
                (MessageResult { units, unsure, ..result }, status_code)
            }
        };
        let attempt = Some(MessageAttempt { started_at, duration_ms, status_code });
        MessageResult { attempts_made: job.attempts_made + 1, attempt, ..result }
    }

    /// Sends it, unless the provider has it from before.
    async fn hand_over<C: Carrier>(
        &self,
        carrier: &C,
        job: &MessageJob,
        to: &str,
        letter: &C::Letter,
    ) -> Result<Sent, NotSent> {
        if job.may_be_sent {
            let found = carrier.find(job, to, letter).await?;
            if let Some(sent) = self.ours(job, found).await? {
                tracing::info!(message_id = %job.key.id, "its provider has the message already");
                return Ok(sent);
            }
        }
        carrier.send(job, to, letter).await
    }

    /// The first of `found` that is not known to be another message with the same words.
    async fn ours(&self, job: &MessageJob, found: Vec<Sent>) -> Result<Option<Sent>, NotSent> {
        let ids: Vec<&str> = found.iter().filter_map(|sent| sent.provider_id.as_deref()).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let known = async { messages::known_to_us(&mut *self.pool.acquire().await?, job.key.channel, &ids).await };
        let known = known.await.map_err(|_| {
            let why = "it may be sent already, which cannot be looked up now".to_owned();
            NotSent::Later { status_code: 0, why, retry_after: None, unsure: true }
        })?;
        Ok(found.into_iter().find(|sent| sent.provider_id.as_ref().is_some_and(|id| !known.contains(id))))
    }

    /// It is tried again.
    fn failed(
        &self,
        job: &MessageJob,
        why: String,
        retry_after: Option<std::time::Duration>,
        recipient: String,
    ) -> MessageResult {
        let wait = message_pause(job.attempts_made + 1, retry_after, rand::random());
        let due_at = self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        let result = ended(job, MessageStatus::Waiting, why, recipient);
        MessageResult { attempts_made: job.attempts_made + 1, due_at: Some(due_at), ..result }
    }
}

/// For the log: a provider's words, which may name whom it is about, stand behind the first colon. The whole is kept with the message.
fn own_words(why: &str) -> &str {
    why.split(": ").next().unwrap_or_default()
}

/// It stands there now, without an attempt.
fn ended(job: &MessageJob, status: MessageStatus, error: String, recipient: String) -> MessageResult {
    MessageResult {
        key: job.key,
        lease: job.lease,
        attempts_made: job.attempts_made,
        status,
        due_at: None,
        error,
        recipient,
        provider_id: None,
        units: 1,
        unsure: false,
        suppress: None,
        attempt: None,
    }
}

/// Its provider has told so; whoever sent it has not recorded that.
fn taken_before(job: &MessageJob, taken: &Taken) -> MessageResult {
    let result = ended(job, MessageStatus::Sent, String::new(), taken.recipient.clone());
    MessageResult { provider_id: Some(taken.provider_id.clone()), units: taken.units, ..result }
}

/// It waits for its time, as new as it was.
fn waits(job: &MessageJob, until: DateTime<Utc>) -> MessageResult {
    MessageResult { due_at: Some(until), ..ended(job, MessageStatus::Waiting, String::new(), String::new()) }
}

/// The recipient as it is written down: not at all where the contents are sealed.
fn kept(job: &MessageJob, to: &str) -> String {
    if job.key.kind.is_none_or(leadflow_notifier_domain::MessageKind::is_sealed) {
        String::new()
    } else {
        to.to_owned()
    }
}
