//! Reserving the price of assignments, a whole batch in one transaction.

use leadflow_billing_domain::{Books, HoldOutcome, HoldRequest};
use leadflow_kernel::SellerId;
use leadflow_messaging::outbox;

use super::{AppError, Billing};
use crate::store::{holds, place, wallets};

impl Billing {
    /// Reserves what can be paid, in the order asked, and answers each request in that order.
    /// Idempotent by the hold's id.
    ///
    /// # Errors
    /// [`AppError::Database`]: then nothing is reserved, or (when the commit's answer was lost) all of it;
    /// asking again is safe.
    pub async fn place_holds(&self, tenant: SellerId, asked: &[HoldRequest]) -> Result<Vec<HoldOutcome>, AppError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        // Nearly always every id is new and the wallets are as this process left them: then one statement
        // does it. One hold that exists shows when the new ones are inserted.
        match self.place_on_known(tenant, asked).await {
            Ok(Some(outcomes)) => return Ok(outcomes),
            Ok(None) => {}
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(error.into()),
        }
        self.place(tenant, asked).await
    }

    /// `None`: not with what is known; nothing was written.
    async fn place_on_known(
        &self,
        tenant: SellerId,
        asked: &[HoldRequest],
    ) -> Result<Option<Vec<HoldOutcome>>, sqlx::Error> {
        let Some(assumed) = self.known.guess(tenant, asked.iter().map(|request| request.buyer)) else {
            return Ok(None);
        };
        let mut books = Books::new(assumed.iter().copied(), []);
        let now = self.clock.now();
        let outcomes: Vec<_> = asked.iter().map(|request| books.place(request, now)).collect();
        if outcomes.iter().any(|outcome| *outcome != HoldOutcome::Held) {
            // A refusal must be founded on what is, not on what was.
            return Ok(None);
        }
        let changes = books.into_changes();
        let (told, pending) = outbox::Rows::of(self.events_of(&changes));
        let right = place::if_unchanged(&self.pool, tenant, &assumed, &changes, &told).await?;
        self.known.judged(right);
        if !right {
            return Ok(None);
        }
        self.known.learn(&changes.wallets);
        self.relay.send(pending);
        Ok(Some(outcomes))
    }

    async fn place(&self, tenant: SellerId, asked: &[HoldRequest]) -> Result<Vec<HoldOutcome>, AppError> {
        let mut transaction = self.begin().await?;
        let wallets = wallets::lock(&mut transaction, Some(tenant), asked.iter().map(|request| request.buyer)).await?;
        self.known.learn(&wallets);
        // After the locks, so that it sees what this transaction waited for.
        let holds = holds::load(&mut transaction, asked.iter().map(|request| request.id)).await?;
        let mut books = Books::new(wallets, holds);
        let now = self.clock.now();
        let outcomes = asked.iter().map(|request| books.place(request, now)).collect();
        self.commit(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(outcomes)
    }
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
