//! Reserving the price of assignments, a whole batch in one transaction.

use leadflow_billing_domain::{Books, HoldOutcome, HoldRequest};
use leadflow_kernel::SellerId;

use super::{AppError, Billing};
use crate::store::{holds, wallets};

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
        // Nearly always every id is new, so the holds are not looked for at first; one that exists
        // shows when the new ones are inserted.
        match self.place(tenant, asked, false).await {
            Err(AppError::Database(error)) if is_taken(&error) => self.place(tenant, asked, true).await,
            outcome => outcome,
        }
    }

    async fn place(&self, tenant: SellerId, asked: &[HoldRequest], look: bool) -> Result<Vec<HoldOutcome>, AppError> {
        let mut transaction = self.begin().await?;
        let wallets = wallets::lock(&mut transaction, Some(tenant), asked.iter().map(|request| request.buyer)).await?;
        let now = self.clock.now();
        let place = |books: &mut Books| asked.iter().map(|request| books.place(request, now)).collect::<Vec<_>>();
        if !look {
            let mut books = Books::new(wallets.iter().copied(), []);
            let outcomes = place(&mut books);
            if outcomes.iter().all(|outcome| *outcome == HoldOutcome::Held) {
                self.commit(transaction, &books.into_changes(), Vec::new()).await?;
                return Ok(outcomes);
            }
            // A refusal may be wrong: a hold that exists has its money already.
        }
        // After the locks, so that it sees what this transaction waited for.
        let holds = holds::load(&mut transaction, asked.iter().map(|request| request.id)).await?;
        let mut books = Books::new(wallets, holds);
        let outcomes = place(&mut books);
        self.commit(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(outcomes)
    }
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
