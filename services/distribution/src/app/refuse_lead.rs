//! A buyer's own system does not take a lead that he bought.

use leadflow_distribution_domain::{
    month_of,
    returns::{NotReturned, ReturnState},
};
use leadflow_kernel::{AssignmentId, BuyerId, LeadId, ReturnId, SellerId};
use leadflow_platform::audit::Change;

use super::{App, AppError, audit, returned::Undone};
use crate::store::{
    columns,
    returns::{self, NewReturn},
    routing,
};

/// Why a lead is for sale again.
const SOLD_ON: &str = "refused_by_buyer";
/// Characters of what a receiver said that are kept.
const MAX_WORDS: usize = 200;

/// "We do not take this lead."
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The tenant.
    pub seller: SellerId,
    /// Whose system it is.
    pub buyer: BuyerId,
    /// The sale.
    pub assignment: AssignmentId,
    /// What was sold.
    pub lead: LeadId,
    /// Its buyer has this person already.
    pub duplicate: bool,
    /// What it said.
    pub because: String,
}

impl App {
    /// Undoes the sale where the campaign says so, and puts the lead up for sale again, for those who did not have it. A
    /// refusal that is told twice, or of a sale that was asked back before, changes nothing.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such sale, [`AppError::Database`].
    pub async fn refuse_lead(&self, refusal: &Refusal) -> Result<(), AppError> {
        let Refusal { seller, buyer, assignment, .. } = *refusal;
        let mut tx = self.tenants.begin(seller).await?;
        let missing = AppError::NotFound("assignment");
        let sold = returns::lock_sold(&mut tx, seller, buyer, assignment).await?.ok_or(missing)?;
        if returns::of_sale(&mut tx, seller, assignment).await?.is_some() {
            return Ok(());
        }
        let (policy, zone) = (sold.policy()?, columns::zone(&sold.time_zone)?);
        let (month, campaign) = (month_of(zone, sold.assigned_at), sold.campaign_id.into());
        let (bought, refused) = returns::bought_and_returned(&mut tx, buyer, campaign, month, true).await?;
        if let Err(why) = policy.refusals.judge(bought, refused) {
            if why == NotReturned::Share {
                tracing::debug!(lead_id = %refusal.lead, assignment_id = %assignment, %why, "a refused lead stays sold");
            }
            return Ok(());
        }
        let now = self.clock.now();
        routing::lock(&mut tx, &[campaign]).await?;
        let sale = Undone { campaign, buyer, assignment, sold_at: sold.assigned_at, zone };
        let out_of_caps = policy.counts_out_of_caps && self.count_out_of_cap(&mut tx, seller, &sale).await?;
        let note: String = refusal.because.replace('\0', "").chars().take(MAX_WORDS).collect();
        let new = NewReturn {
            id: ReturnId::derive(&[b"refused", assignment.as_bytes()]),
            seller,
            assignment,
            reason: if refusal.duplicate { "duplicate_at_receiver" } else { "refused_by_receiver" },
            note: &note,
            by: None,
            state: ReturnState::Approved,
            out_of_caps,
            by_receiver: true,
        };
        returns::insert(&mut tx, &new, now).await?;
        let missing = AppError::Internal("a return that was just written is not there".to_owned());
        let written = returns::of_sale(&mut tx, seller, assignment).await?.ok_or(missing)?;
        let change = Change::new("return.approved", new.id).to(audit::decided(&written)?);
        self.note(&mut tx, seller, change).await?;
        if policy.refusals.sold_on && returns::sell_again(&mut tx, seller, refusal.lead, SOLD_ON, now).await? {
            self.look_again(&mut tx, &[campaign]).await?;
        }
        self.commit_return(tx, Some(&written), now).await
    }
}
