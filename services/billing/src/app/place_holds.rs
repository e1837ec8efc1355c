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
        let mut transaction = self.begin().await?;
        let wallets = wallets::lock(&mut transaction, Some(tenant), asked.iter().map(|request| request.buyer)).await?;
        // After the locks, so that it sees what this transaction waited for.
        let holds = holds::load(&mut transaction, asked.iter().map(|request| request.id)).await?;
        let mut books = Books::new(wallets, holds);
        let now = self.clock.now();
        let outcomes = asked.iter().map(|request| books.place(request, now)).collect();
        self.commit(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(outcomes)
    }
}
