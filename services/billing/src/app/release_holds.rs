//! Giving holds back that nobody will capture.

use leadflow_billing_domain::Books;
use leadflow_kernel::{AssignmentId, SellerId};

use super::{AppError, Billing};
use crate::store::{holds, wallets};

/// A hold to give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenHold {
    /// Its id.
    pub id: AssignmentId,
    /// How often it had been placed when that was decided; if it was placed again since, it is left
    /// alone. `None` releases it whatever happened.
    pub attempts: Option<u32>,
}

impl Billing {
    /// Releases those that stand, and returns how many. Unknown and ended ones, and those of other
    /// tenants, are ignored.
    ///
    /// # Errors
    /// [`AppError::Database`]; asking again is safe.
    pub async fn release_holds(&self, tenant: SellerId, seen: &[SeenHold]) -> Result<u32, AppError> {
        let ids: Vec<AssignmentId> = seen.iter().map(|hold| hold.id).collect();
        let mut transaction = self.begin().await?;
        // Read without a lock, only to learn which wallets to lock; a hold never changes its wallet.
        let buyers = holds::buyers(&mut transaction, tenant, &ids).await?;
        if buyers.is_empty() {
            return Ok(0);
        }
        let wallets = wallets::lock(&mut transaction, Some(tenant), buyers).await?;
        let holds = holds::load(&mut transaction, ids).await?.into_iter().filter(|hold| hold.seller == tenant);
        let mut books = Books::new(wallets, holds);
        let now = self.clock.now();
        let mut released = 0;
        for hold in seen {
            released += u32::from(books.release(hold.id, hold.attempts, now));
        }
        self.commit(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(released)
    }
}
