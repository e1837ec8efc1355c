//! The gateway's use cases.

pub mod authenticate;
pub mod look_up;
pub mod post_lead;
pub mod receipt;

use std::{sync::Arc, time::Duration};

use leadflow_kernel::{Clock, LeadId, SupplierId};
use tokio::sync::Semaphore;

use crate::{
    outbound::{decisions::Decisions, publisher::LeadPublisher},
    store::{directory::Directory, recent::Recent, strangers::Strangers, waiters::Waiters},
};

/// Time limits of a post.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// The longest an answer waits for the decision, from when the post is all here.
    pub decision_wait: Duration,
    /// The longest the stream may take to acknowledge a lead.
    pub ack: Duration,
}

/// What every use case works with.
pub struct App {
    /// Records.
    pub directory: Arc<Directory>,
    /// Who waits for decisions.
    pub waiters: Waiters,
    /// What was accepted lately.
    pub recent: Recent,
    /// Where leads go.
    pub publisher: Arc<dyn LeadPublisher>,
    /// Proofs of what was accepted.
    pub receipts: receipt::Receipts,
    /// Where decisions are known.
    pub decisions: Decisions,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Where distribution sends decisions for this instance.
    pub reply_subject: String,
    /// Room for posts that are all here and being worked on.
    pub in_flight: Semaphore,
    /// Limits of callers whose key is not known.
    pub strangers: Arc<Strangers>,
}

/// The id of the lead that a supplier posts under an idempotency key: the same for ever.
#[must_use]
pub fn lead_id_of(supplier_id: SupplierId, key: &str) -> LeadId {
    LeadId::derive(&[supplier_id.as_bytes(), key.as_bytes()])
}
