//! Giving the money of sales back that were undone.

use leadflow_billing_domain::{Books, GiveBackError, PaidSale, Sale};
use leadflow_kernel::{AssignmentId, EventId, Money, PostingId};
use leadflow_messaging::Envelope;

use super::{AppError, Billing, OnFailure};
use crate::{
    outbound::events,
    store::{holds, returns, wallets},
};

/// A sale that was undone, and whose money could not be given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("assignment {assignment} is not paid back: {reason}")]
pub struct UnreturnedSale {
    /// The sale.
    pub assignment: AssignmentId,
    /// Why not.
    pub reason: String,
}

impl Billing {
    /// Gives sales of any tenants back: one posting each, which is the sale's the other way round. One that was given back before is
    /// passed over: under the wallet's lock its posting is seen, and a unique index stands behind it. A sale whose payment
    /// is still on its way is paid first, as its `lead.assigned` would have it, which then finds it paid: so the order of the two events
    /// does not matter. Returns those that could not be given back.
    ///
    /// # Errors
    /// [`AppError::Database`]; asking again is safe.
    pub async fn return_sales(&self, sales: &[Sale], on_failure: OnFailure) -> Result<Vec<UnreturnedSale>, AppError> {
        if sales.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<AssignmentId> = sales.iter().map(|sale| sale.assignment).collect();
        let mut unreturned = self.pay_those_on_their_way(sales, &ids, on_failure).await?;
        if !unreturned.is_empty() && on_failure == OnFailure::KeepNothing {
            return Ok(unreturned);
        }
        let mut transaction = self.begin().await?;
        let wallets = wallets::lock(&mut transaction, None, sales.iter().map(|sale| sale.buyer)).await?;
        let holds = holds::load(&mut transaction, ids.iter().copied()).await?;
        self.known.learn(&wallets);
        let paid = returns::paid(&mut transaction, &ids).await?;
        let mut undone = returns::undone(&mut transaction, &ids).await?;
        // One that could not be paid is told already.
        undone.extend(unreturned.iter().map(|failed| failed.assignment));
        let mut books = Books::new(wallets, holds);
        let now = self.clock.now();
        let mut news = Vec::new();
        for sale in sales {
            if !undone.insert(sale.assignment) {
                continue;
            }
            let posting = PostingId::new();
            let given = match paid.get(&sale.assignment).filter(|paid| is_of(paid, sale)) {
                Some(paid) => books.give_back(paid, format!("Return: {}", sale.description), posting, now),
                None => Err(GiveBackError::NotPaid),
            };
            match given {
                Ok(()) => {
                    books.repay_debt(sale.seller, sale.buyer, PostingId::new(), now);
                    news.extend(self.credited(&books, sale, posting));
                }
                Err(reason) => {
                    unreturned.push(UnreturnedSale { assignment: sale.assignment, reason: reason.to_string() });
                }
            }
        }
        if !unreturned.is_empty() && on_failure == OnFailure::KeepNothing {
            return Ok(unreturned);
        }
        self.commit(transaction, &books.into_changes(), news).await?;
        Ok(unreturned)
    }

    /// Pays those of these sales that are not yet, and returns those that cannot be.
    async fn pay_those_on_their_way(
        &self,
        sales: &[Sale],
        ids: &[AssignmentId],
        on_failure: OnFailure,
    ) -> Result<Vec<UnreturnedSale>, AppError> {
        let mut transaction = self.begin().await?;
        let paid = returns::paid(&mut transaction, ids).await?;
        transaction.commit().await?;
        let mut early: Vec<Sale> = Vec::new();
        for sale in sales {
            let new = early.iter().all(|other| other.assignment != sale.assignment);
            if new && !paid.contains_key(&sale.assignment) {
                early.push(sale.clone());
            }
        }
        let unpaid = self.capture_sales(&early, on_failure).await?;
        Ok(unpaid
            .into_iter()
            .map(|failed| UnreturnedSale { assignment: failed.assignment, reason: failed.reason.to_string() })
            .collect())
    }

    /// Leads may wait for the money.
    fn credited(&self, books: &Books, sale: &Sale, posting: PostingId) -> Option<Envelope> {
        let wallet = books.wallet(sale.seller, sale.buyer)?;
        let amount: Money = sale.price.money();
        let event = events::credited(wallet, amount, posting);
        amount.is_positive().then(|| Envelope::new(EventId::new(), &event, self.clock.now()))
    }
}

fn is_of(paid: &PaidSale, sale: &Sale) -> bool {
    (paid.seller, paid.buyer, paid.price) == (sale.seller, sale.buyer, sale.price.amount())
}
