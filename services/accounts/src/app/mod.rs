//! What can be done, one file per use case.

mod audit;
mod create_buyer;
mod create_seller;
mod create_supplier;
mod issue_api_key;
mod list_buyers;
mod list_sellers;
mod look_up;
pub mod people;
mod revoke_api_key;
mod tell_contacts;
mod update_buyer;
mod update_seller;
mod update_supplier;

use std::sync::Arc;

use leadflow_accounts_domain::{Refusal, Seller};
use leadflow_contracts::Event;
use leadflow_kernel::{Clock, EventId, SellerId};
use leadflow_messaging::{
    Envelope,
    outbox::{Outbox, Relay},
};
use leadflow_platform::db::{TenantTx, Tenants};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use crate::store::sellers;

pub use issue_api_key::OtherKeys;

/// Carries out the commands on accounts' records. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pool: PgPool,
    tenants: Tenants,
    outbox: Outbox,
    relay: Relay,
    clock: Arc<dyn Clock>,
}

/// The user who gave a command, as far as is known.
pub type Actor = Option<leadflow_platform::audit::Actor>;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No such record in this tenant (it may well exist in another one).
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The id is in use, for another content or by another tenant; which, is not said.
    #[error("a {0} with this id exists with other content")]
    AlreadyExists(&'static str),
    /// A rule says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The record is not of the version that the change was made for.
    #[error("it was changed meanwhile: read it and try again")]
    ChangedMeanwhile,
    /// PostgreSQL.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// The operating system gave no random bytes.
    #[error("no randomness: {0}")]
    Randomness(String),
}

impl From<leadflow_accounts_domain::Invalid> for AppError {
    fn from(invalid: leadflow_accounts_domain::Invalid) -> Self {
        Self::Refused(invalid.into())
    }
}

impl Accounts {
    /// Commands on the records in `pool`; events go through `relay`.
    #[must_use]
    pub fn new(pool: PgPool, relay: Relay, clock: Arc<dyn Clock>) -> Self {
        let tenants = Tenants::new(pool.clone(), crate::TENANT_ROLE);
        Self { pool, tenants, outbox: Outbox::new(crate::SCHEMA), relay, clock }
    }

    /// Writes down a change in the open transaction.
    async fn note(
        &self,
        connection: &mut PgConnection,
        change: audit::Change,
        seller_id: SellerId,
    ) -> Result<(), AppError> {
        Ok(audit::TRAIL.write(connection, Some(seller_id), self.clock.now(), change).await?)
    }

    /// Commits `transaction` together with the event that tells what it changed.
    async fn commit<E: Event>(&self, mut transaction: TenantTx, event: &E) -> Result<(), AppError> {
        let envelope = Envelope::new(EventId::new(), event, self.clock.now());
        let pending = self.outbox.append(&mut transaction, vec![envelope]).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(())
    }
}

/// The seller under which something is made: there, and not archived. It cannot be archived before
/// the transaction ends.
async fn open_seller(tx: &mut TenantTx, id: SellerId) -> Result<Seller, AppError> {
    let seller = sellers::find_shared(tx, id).await?.ok_or(AppError::NotFound("seller"))?;
    seller.status.changeable("seller")?;
    Ok(seller)
}

/// Refuses what was made for another version than the record has now.
const fn made_for(expected: Option<u64>, version: u64) -> Result<(), AppError> {
    match expected {
        Some(expected) if expected != version => Err(AppError::ChangedMeanwhile),
        _ => Ok(()),
    }
}

/// SHA-256 over what a record is created with, each part with its length before it.
fn content_hash(parts: &[String]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
