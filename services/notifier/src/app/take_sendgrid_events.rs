//! SendGrid tells what became of mails: they arrived, came back, or were called spam. A dead address is not mailed any more.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::MessageId;
use leadflow_notifier_domain::Channel;
use serde::Deserialize;

use super::{Notifier, record_messages::told};
use crate::{
    sendgrid_key::EventKey,
    store::{
        callbacks::{self, Fate},
        messages::MessageStatus,
        suppressions::{self, NewSuppression},
    },
};

/// What `callbacks` knows these events by.
const SOURCE: &str = "SENDGRID";
const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";
/// How far a signature's time may be from ours.
const TOLERANCE: TimeDelta = TimeDelta::days(3);
/// Of a reason, this many characters are kept.
const WORDS: usize = 300;

/// Why events were not taken.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// There is no key to check them with.
    #[error("SendGrid's events are not set up here")]
    NotConfigured,
    /// They are not SendGrid's, or not of now.
    #[error("the signature is not right")]
    BadSignature,
    /// They cannot be read.
    #[error("the events cannot be read")]
    Unreadable,
    /// PostgreSQL.
    #[error("database")]
    Database(#[from] sqlx::Error),
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    event: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    sg_event_id: String,
    #[serde(default)]
    sg_message_id: String,
    /// Ours: what the mail was given to take along.
    #[serde(default)]
    message_id: String,
    #[serde(default)]
    reason: String,
    /// Of a bounce: `bounce`, or `blocked` when another mail may well arrive.
    #[serde(default, rename = "type")]
    bounce: String,
}

impl Notifier {
    /// Takes a call of SendGrid's event webhook: `headers` with names in small letters, `body` as it came. All of it in one transaction, and each
    /// event once, whatever is told again. Returns how many were new.
    ///
    /// # Errors
    /// [`EventsError`].
    pub async fn take_sendgrid_events(
        &self,
        key: Option<&EventKey>,
        headers: &HashMap<String, String>,
        body: &[u8],
    ) -> Result<usize, EventsError> {
        let key = key.ok_or(EventsError::NotConfigured)?;
        let now = self.clock.now();
        let (Some(signature), Some(timestamp)) = (headers.get(SIGNATURE), headers.get(TIMESTAMP)) else {
            return Err(EventsError::BadSignature);
        };
        let at = timestamp.parse::<i64>().ok().and_then(|at| DateTime::from_timestamp(at, 0));
        if at.is_none_or(|at| (now - at).abs() > TOLERANCE) || !key.verifies(signature, timestamp, body) {
            return Err(EventsError::BadSignature);
        }
        let mut events: Vec<Event> = serde_json::from_slice(body).map_err(|_| EventsError::Unreadable)?;
        // What else it tells of (it has it, it tries again, who opened it) changes nothing.
        events.retain(|event| matches!(event.event.as_str(), "delivered" | "bounce" | "dropped" | "spamreport"));
        events.retain(|event| !event.sg_event_id.is_empty());
        if events.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.pool.begin().await?;
        let ids: Vec<&str> = events.iter().map(|event| event.sg_event_id.as_str()).collect();
        let fresh = callbacks::remember(&mut transaction, SOURCE, &ids, now).await?;
        events.retain(|event| fresh.contains(&event.sg_event_id));
        let changed = callbacks::tell(&mut transaction, &fates(&events), now).await?;
        let dead: Vec<NewSuppression> = events.iter().filter_map(|event| dead(event, now)).collect();
        if !dead.is_empty() {
            suppressions::insert(&mut transaction, &dead).await?;
        }
        let told = changed.iter().flat_map(|it| told(&it.key, it.status, &it.error, it.unpaid, now));
        let pending = self.outbox.append(&mut transaction, told.collect()).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(fresh.len())
    }

    /// Forgets what was called back long ago: nobody repeats it any more.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn forget_callbacks(&self) -> Result<u64, sqlx::Error> {
        callbacks::forget(&mut *self.pool.acquire().await?, self.clock.now() - TimeDelta::days(30)).await
    }
}

/// What became of each message; of several, the worst.
fn fates(events: &[Event]) -> Vec<Fate> {
    let mut fates: BTreeMap<MessageId, Fate> = BTreeMap::new();
    for event in events {
        let Ok(message) = event.message_id.parse::<MessageId>() else { continue };
        let status = match event.event.as_str() {
            "delivered" => MessageStatus::Delivered,
            "bounce" | "dropped" => MessageStatus::Bounced,
            _ => continue,
        };
        let error = if status == MessageStatus::Bounced { words(event) } else { String::new() };
        let fate = Fate { message, status, error, provider_id: event.sg_message_id.clone(), units: None };
        let known = fates.entry(message).or_insert_with(|| fate.clone());
        if known.status == MessageStatus::Delivered {
            *known = fate;
        }
    }
    fates.into_values().collect()
}

/// Whether its address is not to be mailed any more.
fn dead(event: &Event, at: DateTime<Utc>) -> Option<NewSuppression> {
    let reason = event.reason.to_lowercase();
    let why = match event.event.as_str() {
        "spamreport" => "COMPLAINED",
        "bounce" if event.bounce != "blocked" => "BOUNCED",
        "dropped" if reason.contains("spam report") => "COMPLAINED",
        "dropped" if reason.contains("bounced address") || reason == "invalid" => "BOUNCED",
        _ => return None,
    };
    let recipient = suppressions::plain(&event.email);
    let detail = match why {
        "COMPLAINED" => "a mail to it was reported as spam".to_owned(),
        _ => format!("a mail to it came back: {}", words(event)),
    };
    (!recipient.is_empty()).then_some(NewSuppression { channel: Channel::Email, recipient, reason: why, detail, at })
}

/// Its reason, without addresses, and without what is no text: a stranger's mail server wrote it.
fn words(event: &Event) -> String {
    let words = event.reason.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words = words.map(|word| if word.contains('@') { "…" } else { word });
    let words: String = words.collect::<Vec<_>>().join(" ").chars().take(WORDS).collect();
    if words.is_empty() { format!("SendGrid told: {}", event.event) } else { words }
}
