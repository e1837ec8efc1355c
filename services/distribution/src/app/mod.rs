//! What can be done, one file per use case.

mod answers;
mod audit;
mod cache;
mod catalogue;
mod confirm_assignments;
mod dead_letters;
mod decide_batch;
mod decide_return;
mod duplicates;
mod erase_person;
mod expire_unsold;
mod get_campaign;
mod get_decision;
mod get_lead;
mod hold_rounds;
mod keep_no_longer;
mod make_months;
mod mask_leads;
mod outcome;
mod plan;
mod posted;
mod project_directory;
mod put_campaign;
mod put_category;
mod put_subscription;
mod record;
mod refuse_lead;
mod request_return;
mod retry_unsold;
mod returned;
mod stored_trace;
mod trace;
mod wallet_changes;

use std::{borrow::Cow, sync::Arc};

use leadflow_contracts::Event;
use leadflow_distribution_domain::{configure::Invalid, person::Recogniser};
use leadflow_kernel::{Clock, EventId, Optimism};
use leadflow_messaging::{
    Bus, BusError, Envelope,
    outbox::{Outbox, Relay},
};
use leadflow_platform::db::{TenantTx, Tenants};
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::outbound::billing::{Holds, HoldsError};

pub use catalogue::{CampaignPage, Catalogue, Days, LeadPage, PurchasePage, ReturnPage, SUMS, Shown, Sums};
pub use confirm_assignments::MAX_CONFIRMED;
pub use erase_person::ErasureView;
pub use get_campaign::CampaignView;
pub use get_lead::LeadView;
pub use outcome::decision;
pub use posted::{Posted, Unreadable};
pub use refuse_lead::Refusal;
pub use request_return::ReturnWish;
pub use trace::{logic_from_proto, logic_to_proto};

/// The user who gave a command, as far as is known.
pub type Actor = Option<leadflow_platform::audit::Actor>;

/// Carries out everything distribution does. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pool: PgPool,
    tenants: Tenants,
    outbox: Outbox,
    relay: Relay,
    bus: Bus,
    clock: Arc<dyn Clock>,
    holds: Arc<dyn Holds>,
    cache: Arc<cache::Cache>,
    /// Whether deciding without locks is worth a try.
    optimism: Arc<Optimism>,
    retry_wanted: Arc<Notify>,
    /// Of tenants who chose no number of days; 0: never.
    retention_days: u32,
    recogniser: Arc<Recogniser>,
    erasure_wanted: Arc<Notify>,
    erasures_failed: Arc<erase_person::Failed>,
}

/// Why something was not carried out; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The tenant has no such record (another one may).
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A part of the request breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The id or name is in use.
    #[error("{sentence}")]
    Taken {
        /// Stable code.
        code: &'static str,
        /// For people.
        sentence: &'static str,
    },
    /// The state of things does not allow it.
    #[error("{sentence}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// For people.
        sentence: Cow<'static, str>,
    },
    /// The record is not of the version that the change was made for.
    #[error("it was changed meanwhile: read it and try again")]
    ChangedMeanwhile,
    /// PostgreSQL.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// Billing did not say whether there is money.
    #[error("holds")]
    Holds(#[from] HoldsError),
    /// A stream could not be read or changed.
    #[error("stream")]
    Stream(#[source] BusError),
    /// The program contradicts itself.
    #[error("internal: {0}")]
    Internal(String),
}

impl App {
    /// Works on the tables in `pool`; events go through `relay`, answers to gateways over `bus`,
    /// and money is asked for from `holds`.
    #[must_use]
    pub fn new(pool: PgPool, relay: Relay, bus: Bus, clock: Arc<dyn Clock>, holds: Arc<dyn Holds>) -> Self {
        Self {
            tenants: Tenants::new(pool.clone(), crate::TENANT_ROLE),
            pool,
            outbox: Outbox::new(crate::SCHEMA),
            relay,
            bus,
            clock,
            holds,
            cache: Arc::default(),
            optimism: Arc::default(),
            retry_wanted: Arc::default(),
            retention_days: 0,
            recogniser: Arc::new(Recogniser::new(&[])),
            erasure_wanted: Arc::default(),
            erasures_failed: Arc::default(),
        }
    }

    /// The same, but persons are recognised by hashes with these keys, the one that writes first; without it, with a key of zeros.
    #[must_use]
    pub fn recognising_by(self, keys: &[[u8; 32]]) -> Self {
        Self { recogniser: Arc::new(Recogniser::new(keys)), ..self }
    }

    /// Told whenever this process was asked to remove a person's data.
    #[must_use]
    pub fn erasure_wanted(&self) -> Arc<Notify> {
        self.erasure_wanted.clone()
    }

    /// The same, but leads of tenants who chose no number of days are masked after `days`; 0: never.
    #[must_use]
    pub fn masking_after(self, days: u32) -> Self {
        Self { retention_days: days, ..self }
    }

    /// Told whenever this process marked a campaign for another look at its unsold leads.
    #[must_use]
    pub fn retry_wanted(&self) -> Arc<Notify> {
        self.retry_wanted.clone()
    }

    /// Commits `transaction` together with the event that tells what it changed.
    async fn commit<E: Event>(&self, mut transaction: TenantTx, event: &E) -> Result<(), AppError> {
        let envelope = Envelope::new(EventId::new(), event, self.clock.now());
        let pending = self.outbox.append(&mut transaction, vec![envelope]).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        self.retry_wanted.notify_one();
        Ok(())
    }
}

/// Refuses what was made for another version than the record has now (0: there is none).
const fn made_for(expected: Option<u64>, version: u64) -> Result<(), AppError> {
    match expected {
        Some(expected) if expected != version => Err(AppError::ChangedMeanwhile),
        _ => Ok(()),
    }
}

/// Turns a unique violation into a refusal.
fn taken(error: sqlx::Error, code: &'static str, sentence: &'static str) -> AppError {
    if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
        AppError::Taken { code, sentence }
    } else {
        AppError::Database(error)
    }
}
