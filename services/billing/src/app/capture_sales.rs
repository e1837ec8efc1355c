//! Taking the money of sales that were made.

use leadflow_billing_domain::{Books, CaptureError, Captured, Sale, pay_standing};
use leadflow_kernel::{AssignmentId, PostingId};

use super::{AppError, Billing};
use crate::{
    metrics,
    store::{holds, pay, wallets},
};

/// What becomes of a batch when one of its sales cannot be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing of it is committed.
    KeepNothing,
    /// The other sales are.
    KeepTheRest,
}

/// A sale that could not be paid, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("assignment {assignment} is not paid: {reason}")]
pub struct UnpaidSale {
    /// The sale.
    pub assignment: AssignmentId,
    /// Why not.
    pub reason: CaptureError,
}

impl Billing {
    /// Pays sales of any tenants, in the order given, in one transaction. A sale that was paid before is
    /// passed over: the state of its hold, read under the wallet's lock, is what makes a redelivery
    /// harmless, so no record of seen events is needed. Returns the sales that could not be paid.
    ///
    /// # Errors
    /// [`AppError::Database`]; asking again is safe.
    pub async fn capture_sales(&self, sales: &[Sale], on_failure: OnFailure) -> Result<Vec<UnpaidSale>, AppError> {
        if sales.is_empty() {
            return Ok(Vec::new());
        }
        if self.pay_standing(sales).await? {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        // Of whatever tenant: a sale names its own, and the books refuse a wallet of another one.
        let wallets = wallets::lock(&mut transaction, None, sales.iter().map(|sale| sale.buyer)).await?;
        let holds = holds::load(&mut transaction, sales.iter().map(|sale| sale.assignment)).await?;
        self.known.learn(&wallets);
        let mut books = Books::new(wallets, holds);
        let now = self.clock.now();
        let mut unpaid = Vec::new();
        for sale in sales {
            match books.capture(sale, PostingId::new(), now) {
                Ok(Captured::FromHold | Captured::Before) => {}
                Ok(Captured::WithoutHold) => {
                    tracing::warn!(
                        lead_id = %sale.lead, assignment_id = %sale.assignment,
                        "a sale had no hold at its price; paid from free money"
                    );
                }
                Err(reason) => unpaid.push(UnpaidSale { assignment: sale.assignment, reason }),
            }
        }
        if !unpaid.is_empty() && on_failure == OnFailure::KeepNothing {
            return Ok(unpaid);
        }
        self.commit(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(unpaid)
    }

    /// Tells how long ago leads were received, and sold, that have been paid now; a repeat counts again.
    pub(crate) fn measure_debits(&self, received_and_sold_at_ms: &[(i64, i64)]) {
        let now = self.clock.now();
        for (received, sold) in received_and_sold_at_ms {
            metrics::debited(*received, *sold, now);
        }
    }

    /// Nearly always every hold stands at its price: then one statement pays them. False: not like that; nothing
    /// was written.
    async fn pay_standing(&self, sales: &[Sale]) -> Result<bool, sqlx::Error> {
        let terms = |sale: &Sale| self.known.terms(sale.seller, sale.buyer);
        let now = self.clock.now();
        match pay_standing(sales, terms, PostingId::new, now) {
            Some(payment) => pay::if_all_stand(&self.pool, &payment, now).await,
            None => Ok(false),
        }
    }
}
