//! What travels between the table, the senders and the recorder.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, LeadId, SellerId};
use leadflow_notifier_domain::{AnswerRules, BodyTemplate, Context, EventKind, Reply};
use uuid::Uuid;

use crate::secrets::Sealed;

/// A buyer's webhook as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// The tenant.
    pub seller: SellerId,
    /// Whose it is.
    pub buyer: BuyerId,
    /// Where to.
    pub url: String,
    /// The signing secret.
    pub secret: Sealed,
    /// In use.
    pub enabled: bool,
    /// Why the system switched it off.
    pub disabled_reason: String,
    /// The first failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Of what can be set.
    pub version: u64,
    /// How its answers are read; `None`: by their status alone.
    pub rules: Option<AnswerRules>,
    /// Headers and credentials.
    pub credentials: Option<Sealed>,
    /// `None`: the usual body.
    pub body: Option<BodyTemplate>,
    /// What its owner calls it.
    pub name: String,
    /// What it is told of; sorted.
    pub events: Vec<EventKind>,
    /// Requests at once, at most; 0: the service's limit.
    pub concurrency: u32,
    /// The secret before this one, and until when it is good.
    pub old_secret: Option<(Sealed, DateTime<Utc>)>,
    /// Nothing is sent to it any more.
    pub deleted: bool,
}

impl Endpoint {
    /// Why nothing is sent to it, if that is so.
    #[must_use]
    pub fn off(&self) -> Option<String> {
        if self.deleted {
            Some("the endpoint was deleted".to_owned())
        } else if self.enabled {
            None
        } else if self.disabled_reason.is_empty() {
            Some("the endpoint is switched off".to_owned())
        } else {
            Some(format!("the endpoint is switched off: {}", self.disabled_reason))
        }
    }
}

/// A lead sold to one buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleKey {
    /// What.
    pub lead: LeadId,
    /// The sale.
    pub assignment: AssignmentId,
}

/// Which delivery, for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryKey {
    /// Its id.
    pub id: DeliveryId,
    /// The tenant.
    pub seller: SellerId,
    /// Who bought.
    pub buyer: BuyerId,
    /// The sale that it tells of, if it tells of one.
    pub sale: Option<SaleKey>,
    /// What it tells of.
    pub event: EventKind,
}

/// A delivery that somebody has a lease on.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which.
    pub key: DeliveryKey,
    /// Where to.
    pub endpoint: Arc<Endpoint>,
    /// The usual body: what is signed and sent, or what the endpoint's template makes something else of.
    pub payload: Bytes,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Attempts before this one.
    pub attempts_made: u32,
    /// Of these, those before it was last sent again.
    pub attempts_before: u32,
    /// It had arrived before it was sent again.
    pub arrived: bool,
    /// Somebody had it before and may have sent it without recording that.
    pub taken_over: bool,
    /// Proves that this is still the one to record the result.
    pub lease: Uuid,
    /// The end of the lease.
    pub leased_until: DateTime<Utc>,
}

impl Job {
    /// What the answer of this attempt is judged by.
    #[must_use]
    pub fn context<'a>(&'a self, attempt: &'a Attempt) -> Context<'a> {
        let rules = self.endpoint.rules.as_ref();
        Context { rules, body: &attempt.response, repeated: self.taken_over || self.attempts_made > 0 }
    }
}

/// A request that was made, or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub started_at: DateTime<Utc>,
    /// For how long, in milliseconds.
    pub duration_ms: u32,
    /// 0: no answer.
    pub status_code: u16,
    /// What came back, at most 16 KiB.
    pub response: String,
    /// There was more, which was not read.
    pub cut_off: bool,
    /// What it means.
    pub reply: Reply,
}

impl Attempt {
    /// What else there is to know of it, in words; empty: nothing.
    #[must_use]
    pub const fn note(&self) -> &'static str {
        if self.cut_off {
            "the answer was cut off after 16 KiB: no more was read, and the connection was closed"
        } else {
            ""
        }
    }
}

/// What became of a job.
#[derive(Debug)]
pub enum End {
    /// A request was made, or tried.
    Attempted(Attempt),
    /// Nothing can be sent: its endpoint is off, or the personal data of its lead was removed; why.
    EndpointOff(String),
    /// Nothing was done: somebody else may take it at once.
    GivenBack,
}

/// A job with its end.
#[derive(Debug)]
pub struct Finished {
    /// The job.
    pub job: Job,
    /// Its end.
    pub end: End,
}
