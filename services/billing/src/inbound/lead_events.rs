//! `lead.assigned`: captures. `lead.returned`: what was captured is given back.

use leadflow_billing_domain::{Price, Sale};
use leadflow_contracts::{
    ConvertError, Event as _,
    events::{LeadAssigned, LeadReturned},
    id, money,
};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use crate::app::{AppError, Billing, OnFailure};

/// The longest text a statement's line takes over from an event.
const LONGEST_DESCRIPTION: usize = 200;

/// Pays the sales of a batch of events in one transaction, and gives those that were undone back in another.
pub struct LeadEvents {
    billing: Billing,
}

impl LeadEvents {
    /// Pays with `billing`.
    #[must_use]
    pub const fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[async_trait::async_trait]
impl BatchHandler for LeadEvents {
    /// A batch with a sale that cannot be paid (or given back) is refused as a whole, and comes back message by message. A
    /// message that comes alone is carried out as far as it goes: its other sales are paid (a repeat passes
    /// over them), and the error sends it to the dead letters, so the unpaid sale is not lost silently.
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let (mut sales, mut undone) = (Vec::with_capacity(batch.len()), Vec::new());
        let mut traces_of_undone = Vec::new();
        let (mut times, mut traces) = (Vec::with_capacity(batch.len()), Vec::new());
        for message in batch {
            match message.kind.as_str() {
                LeadAssigned::TYPE => {
                    let event = message.decode::<LeadAssigned>().map_err(HandleError::permanent)?;
                    times.push((event.received_at_ms, event.assigned_at_ms));
                    sales.extend(sales_of(&event).map_err(HandleError::permanent)?);
                    traces.resize(sales.len(), message.trace_id());
                }
                LeadReturned::TYPE => {
                    let event = message.decode::<LeadReturned>().map_err(HandleError::permanent)?;
                    undone.push(undone_of(&event).map_err(HandleError::permanent)?);
                    traces_of_undone.push(message.trace_id());
                }
                other => return Err(HandleError::permanent(format!("an event of another type: {other:?}"))),
            }
        }
        let on_failure = if batch.len() == 1 { OnFailure::KeepTheRest } else { OnFailure::KeepNothing };
        let mut unpaid = self.billing.capture_sales(&sales, on_failure).await.map_err(failed)?;
        if let Some(last) = unpaid.pop() {
            return Err(HandleError::permanent(last));
        }
        self.billing.measure_debits(&times);
        log(&sales, &traces, "sale paid");
        let mut unreturned = self.billing.return_sales(&undone, on_failure).await.map_err(failed)?;
        if let Some(last) = unreturned.pop() {
            return Err(HandleError::permanent(last));
        }
        log(&undone, &traces_of_undone, "sale given back");
        Ok(())
    }
}

/// A line for each, for whoever follows a lead. A repeat is told again.
fn log(sales: &[Sale], traces: &[Option<&str>], what: &str) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for (sale, trace_id) in sales.iter().zip(traces) {
        tracing::debug!(
            lead_id = %sale.lead, trace_id, seller_id = %sale.seller, buyer_id = %sale.buyer,
            assignment_id = %sale.assignment, "{what}"
        );
    }
}

/// How an error of a use case looks to the consumer loop.
pub(super) fn failed(error: AppError) -> HandleError {
    match error {
        AppError::Database(error) => error.into(),
        AppError::Provider(error) => HandleError::transient(error),
        other => HandleError::permanent(other),
    }
}

/// An event that is not what its contract says.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Field(#[from] ConvertError),
    #[error("price: {0}")]
    Price(#[from] leadflow_billing_domain::PriceError),
}

fn description(campaign: &str) -> String {
    campaign.chars().filter(|c| !c.is_control()).take(LONGEST_DESCRIPTION).collect()
}

/// The sale that was undone.
fn undone_of(event: &LeadReturned) -> Result<Sale, Unreadable> {
    Ok(Sale {
        assignment: id(&event.assignment_id, "assignment_id")?,
        seller: id(&event.seller_id, "seller_id")?,
        buyer: id(&event.buyer_id, "buyer_id")?,
        lead: id(&event.lead_id, "lead_id")?,
        campaign: id(&event.campaign_id, "campaign_id")?,
        price: Price::new(money(event.price.as_ref(), "price")?)?,
        description: description(&event.campaign_name),
    })
}

fn sales_of(event: &LeadAssigned) -> Result<Vec<Sale>, Unreadable> {
    let seller = id(&event.seller_id, "seller_id")?;
    let lead = id(&event.lead_id, "lead_id")?;
    let campaign = id(&event.campaign_id, "campaign_id")?;
    let description = description(&event.campaign_name);
    event
        .assignments
        .iter()
        .map(|assignment| {
            Ok(Sale {
                assignment: id(&assignment.assignment_id, "assignments.assignment_id")?,
                seller,
                buyer: id(&assignment.buyer_id, "assignments.buyer_id")?,
                lead,
                campaign,
                price: Price::new(money(assignment.price.as_ref(), "assignments.price")?)?,
                description: description.clone(),
            })
        })
        .collect()
}
