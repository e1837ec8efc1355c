//! A buyer asks to undo a sale.

use leadflow_distribution_domain::{
    configure, month_of,
    returns::{ReturnState, Wish},
};
use leadflow_kernel::{AssignmentId, BuyerId, ReturnId, SellerId};
use leadflow_platform::audit::Change;

use super::{Actor, App, AppError, audit, put_category::ID_TAKEN, returned::Undone, taken};
use crate::store::{
    columns,
    returns::{self, NewReturn, ReturnRow},
};

/// "Take this lead back."
#[derive(Debug, Clone)]
pub struct ReturnWish {
    /// Made by the caller: the same again asks for the same.
    pub id: ReturnId,
    /// The sale.
    pub assignment: AssignmentId,
    /// Whose it is.
    pub buyer: BuyerId,
    /// Why, as the campaign calls it.
    pub reason: String,
    /// In words.
    pub note: String,
}

impl App {
    /// Writes a buyer's wish down, and undoes the sale at once where the campaign's policy says so. The same id again gives back
    /// what became of it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when this buyer of the tenant has no such purchase, [`AppError::Taken`] when it was asked back before,
    /// [`AppError::Refused`] when the campaign does not take it back.
    pub async fn request_return(
        &self,
        actor: Actor,
        seller: SellerId,
        wish: ReturnWish,
    ) -> Result<ReturnRow, AppError> {
        configure::description("note", &wish.note)?;
        let mut tx = self.tenants.begin(seller).await?;
        let missing = AppError::NotFound("assignment");
        let sold = returns::lock_sold(&mut tx, seller, wish.buyer, wish.assignment).await?.ok_or(missing)?;
        if let Some(known) = returns::of_sale(&mut tx, seller, wish.assignment).await? {
            let same = known.return_id == wish.id.uuid();
            return if same { Ok(known) } else { Err(ALREADY_RETURNED) };
        }
        let (policy, zone) = (sold.policy()?, columns::zone(&sold.time_zone)?);
        // After the lock: of this buyer's returns none comes to be meanwhile.
        let month = month_of(zone, sold.assigned_at);
        let campaign = sold.campaign_id.into();
        let (bought, returned) = returns::bought_and_returned(&mut tx, wish.buyer, campaign, month, false).await?;
        let now = self.clock.now();
        let state = policy
            .judge(&Wish { sold_at: sold.assigned_at, now, reason: &wish.reason, bought, returned })
            .map_err(|refusal| AppError::Refused { code: refusal.code(), sentence: refusal.to_string().into() })?;
        let approved = state == ReturnState::Approved;
        let sale = Undone { campaign, buyer: wish.buyer, assignment: wish.assignment, sold_at: sold.assigned_at, zone };
        let out_of_caps =
            approved && policy.counts_out_of_caps && self.count_out_of_cap(&mut tx, seller, &sale).await?;
        let new = NewReturn {
            id: wish.id,
            seller,
            assignment: wish.assignment,
            reason: &wish.reason,
            note: &wish.note,
            by: actor.map(|actor| actor.user),
            state,
            out_of_caps,
            by_receiver: false,
        };
        // The sale was not asked back before, so it can only be the id that is in use.
        let taken = |error| match taken(error, "id_taken", "the id is in use") {
            AppError::Taken { .. } => ID_TAKEN,
            other => other,
        };
        returns::insert(&mut tx, &new, now).await.map_err(taken)?;
        let missing = AppError::Internal("a return that was just written is not there".to_owned());
        let written = returns::of_sale(&mut tx, seller, wish.assignment).await?.ok_or(missing)?;
        let asked = Change::new("return.requested", wish.id).by(actor).to(audit::asked_back(&written));
        self.note(&mut tx, seller, asked).await?;
        if approved {
            let change = Change::new("return.approved", wish.id).to(audit::decided(&written)?);
            self.note(&mut tx, seller, change).await?;
        }
        self.commit_return(tx, approved.then_some(&written), now).await?;
        Ok(written)
    }
}

const ALREADY_RETURNED: AppError = AppError::Taken {
    code: "already_returned",
    sentence: "the lead was returned before, or its return is being decided",
};
