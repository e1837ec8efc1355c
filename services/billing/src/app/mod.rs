//! What can be done, one file per use case: begin, lock and load, decide, save with the outbox,
//! commit, publish.

mod apply_directory;
mod capture_sales;
pub mod cards;
mod credit_wallet;
mod known_wallets;
pub mod payments;
mod place_holds;
pub mod provider_events;
pub mod reconcile;
mod release_holds;
mod return_sales;
mod set_threshold;
mod statement;
pub mod usage;

use std::sync::Arc;

use leadflow_billing_domain::{CardMoneyError, Changes, CreditError};
use leadflow_kernel::{Clock, EventId, MoneyError};
use leadflow_messaging::{
    Envelope,
    outbox::{Outbox, Pending, Relay},
};
use leadflow_platform::{
    audit::Trail,
    db::{TenantTx, Tenants},
};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

pub use capture_sales::{OnFailure, UnpaidSale};
pub use credit_wallet::{Credited, NewCredit};
pub use release_holds::SeenHold;
pub use return_sales::UnreturnedSale;
pub use statement::Page;

use self::known_wallets::KnownWallets;
use crate::{
    outbound::{events, provider::ProviderError},
    store,
};

/// The user who gave a command, as far as is known.
pub type Actor = Option<leadflow_platform::audit::Actor>;

/// Where changes by people are written down.
const TRAIL: Trail = Trail::new(crate::SCHEMA);

/// Carries out the commands on wallets. Cheap to clone.
#[derive(Clone)]
pub struct Billing {
    pool: PgPool,
    tenants: Tenants,
    outbox: Outbox,
    relay: Relay,
    clock: Arc<dyn Clock>,
    known: Arc<KnownWallets>,
}

/// Why a command was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No such wallet in this tenant (it may well exist in another one).
    #[error("no such wallet")]
    NoSuchWallet,
    /// The credit's id was used for another buyer or amount.
    #[error("a credit with this id exists, for another buyer or amount")]
    CreditExists,
    /// The amount cannot be added.
    #[error(transparent)]
    Credit(CreditError),
    /// The amount is in another currency than the wallet.
    #[error("the amount is in another currency than the wallet")]
    Currency,
    /// The statement has no such line.
    #[error("before: the statement has no such line")]
    NoSuchLine,
    /// PostgreSQL.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// Card payments.
    #[error(transparent)]
    Payment(#[from] payments::PaymentError),
    /// Card money that cannot be booked; worth a look by a person.
    #[error("card money cannot be booked: {0}")]
    CardMoney(CardMoneyError),
    /// An amount beyond what money can express.
    #[error(transparent)]
    Amount(MoneyError),
    /// The provider of card payments did not do what was asked, or did not answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl Billing {
    /// Commands on the wallets in `pool`; events go through `relay`.
    #[must_use]
    pub fn new(pool: PgPool, relay: Relay, clock: Arc<dyn Clock>) -> Self {
        let tenants = Tenants::new(pool.clone(), crate::TENANT_ROLE);
        Self { pool, tenants, outbox: Outbox::new(crate::SCHEMA), relay, clock, known: Arc::default() }
    }

    /// The database, for workers that read.
    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin().await
    }

    /// Saves what was decided together with its events (those given, low balances and money set free),
    /// commits, and hands the events to the relay.
    async fn commit(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        changes: &Changes,
        events: Vec<Envelope>,
    ) -> Result<(), sqlx::Error> {
        let pending = self.save(&mut transaction, changes, events).await?;
        transaction.commit().await?;
        self.committed(changes, pending);
        Ok(())
    }

    /// [`Self::commit`] of what was decided for one tenant.
    async fn commit_tenant(
        &self,
        mut tx: TenantTx,
        changes: &Changes,
        events: Vec<Envelope>,
    ) -> Result<(), sqlx::Error> {
        let pending = self.save(&mut tx, changes, events).await?;
        tx.commit().await?;
        self.committed(changes, pending);
        Ok(())
    }

    async fn save(
        &self,
        connection: &mut PgConnection,
        changes: &Changes,
        mut events: Vec<Envelope>,
    ) -> Result<Pending, sqlx::Error> {
        store::save::save(connection, changes).await?;
        events.extend(self.events_of(changes));
        self.outbox.append(connection, events).await
    }

    fn committed(&self, changes: &Changes, pending: Pending) {
        self.known.learn(&changes.wallets);
        self.relay.send(pending);
    }

    fn events_of(&self, changes: &Changes) -> Vec<Envelope> {
        let now = self.clock.now();
        let low = changes.low_balances.iter().map(|low| Envelope::new(EventId::new(), &events::low_balance(low), now));
        let freed = changes.freed.iter().map(|freed| Envelope::new(EventId::new(), &events::released(freed), now));
        let lifted = changes
            .lifted
            .iter()
            .map(|wallet| Envelope::new(EventId::new(), &events::limits_changed(wallet.buyer, wallet.seller), now));
        low.chain(freed).chain(lifted).collect()
    }
}
