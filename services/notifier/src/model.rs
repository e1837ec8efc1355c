//! What travels between the table, the senders and the recorder.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, LeadId, SellerId};
use leadflow_notifier_domain::Reply;
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
}

impl Endpoint {
    /// Why nothing is sent to it, if that is so.
    #[must_use]
    pub fn off(&self) -> Option<String> {
        if self.enabled {
            None
        } else if self.disabled_reason.is_empty() {
            Some("the endpoint is switched off".to_owned())
        } else {
            Some(format!("the endpoint is switched off: {}", self.disabled_reason))
        }
    }
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
    /// What.
    pub lead: LeadId,
    /// The sale.
    pub assignment: AssignmentId,
}

/// A delivery that somebody has a lease on.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which.
    pub key: DeliveryKey,
    /// Where to.
    pub endpoint: Arc<Endpoint>,
    /// The bytes to sign and send.
    pub payload: Bytes,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Attempts before this one.
    pub attempts_made: u32,
    /// Proves that this is still the one to record the result.
    pub lease: Uuid,
    /// The end of the lease.
    pub leased_until: DateTime<Utc>,
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
    /// What it means.
    pub reply: Reply,
}

/// What became of a job.
#[derive(Debug)]
pub enum End {
    /// A request was made, or tried.
    Attempted(Attempt),
    /// Its endpoint is off; why.
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
