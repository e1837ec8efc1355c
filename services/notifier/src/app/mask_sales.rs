//! Removing what is kept of leads whose personal data goes: bodies of webhooks, what receivers answered, messages that wait.

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;
use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, ErasureId, LeadId, SellerId};

use sqlx::PgConnection;

use super::{AppError, Notifier, accept_leads::deliveries_of, record_messages::told};
use crate::store::{
    masking::{self, Done, Erased, MaskedSale, REMOVED},
    messages::MessageStatus,
};

/// Sales in one transaction.
const BATCH: i64 = 256;
/// After so long it is looked again at what is in somebody's hands.
const AGAIN: TimeDelta = TimeDelta::seconds(5);
/// How often it is looked whether others have ended, and how long between.
const LOOKS: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

impl Notifier {
    /// Takes note of sales whose leads are masked. From the commit on nothing is stored of them.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn accept_masked(&self, sales: &[MaskedSale]) -> Result<(), sqlx::Error> {
        if !sales.is_empty() {
            masking::insert(&mut *self.pool.acquire().await?, sales, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Removes what is kept of some of them. What is being sent at the moment is left until that has ended. Returns how many sales were
    /// looked at. Any number of replicas may do this at once.
    ///
    /// # Errors
    /// Those of PostgreSQL; nothing of the step was done then.
    pub async fn mask_sales(&self) -> Result<usize, sqlx::Error> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        let due = masking::lock_due(&mut tx, now, BATCH).await?;
        if due.is_empty() || !others_ended(&mut tx).await? {
            return Ok(0);
        }
        let mut endpoints: HashMap<BuyerId, Vec<EndpointId>> = HashMap::new();
        for (buyer, endpoint) in masking::endpoints(&mut tx, &due).await? {
            endpoints.entry(buyer).or_default().push(endpoint);
        }
        let deliveries: Vec<DeliveryId> = due
            .iter()
            .flat_map(|sale| {
                let of_buyer = endpoints.get(&sale.buyer).map_or(&[][..], Vec::as_slice);
                of_buyer.iter().flat_map(|endpoint| deliveries_of(sale.assignment, *endpoint))
            })
            .collect();
        let (emptied, left) = masking::empty_deliveries(&mut tx, &deliveries, now).await?;
        let mut leads: Vec<LeadId> = due.iter().map(|sale| sale.lead).collect();
        leads.dedup();
        let (ended, waiting) = masking::end_messages(&mut tx, &leads, now).await?;
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let of_sale =
            |sales: &[AssignmentId], sale: &MaskedSale| sales.iter().filter(|one| **one == sale.assignment).count();
        let done: Vec<Done> = due
            .iter()
            .map(|sale| {
                let mine = |lead: LeadId, buyer: BuyerId| lead == sale.lead && buyer == sale.buyer;
                let busy = of_sale(&left, sale) > 0 || waiting.iter().any(|(lead, buyer)| mine(*lead, *buyer));
                let ended =
                    ended.iter().filter(|key| key.lead.zip(key.buyer).is_some_and(|(lead, buyer)| mine(lead, buyer)));
                Done {
                    sale: *sale,
                    deliveries: count(of_sale(&emptied, sale)),
                    messages: count(ended.count()),
                    due_at: busy.then(|| now + AGAIN),
                }
            })
            .collect();
        masking::save(&mut tx, &done, now).await?;
        let told = ended.iter().flat_map(|key| told(key, MessageStatus::Expired, REMOVED, None, now));
        let pending = self.outbox.append(&mut tx, told.collect()).await?;
        tx.commit().await?;
        self.relay.send(pending);
        Ok(due.len())
    }

    /// What became of a tenant's erasure here; zeros when nothing was told of it.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn get_erased(&self, seller: SellerId, erasure: ErasureId) -> Result<Erased, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        Ok(masking::erased(&mut tx, seller, erasure).await?)
    }
}

/// Waits until those have ended who may store something without seeing what is masked by now; false when somebody takes too long, as a backup
/// does.
async fn others_ended(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mut waited_for = masking::readers(connection).await?;
    for _ in 0..LOOKS {
        if waited_for.is_empty() {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
        let now = masking::readers(connection).await?;
        waited_for.retain(|one| now.contains(one));
    }
    Ok(waited_for.is_empty())
}
