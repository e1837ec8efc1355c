//! A seller decides about a return.

use leadflow_distribution_domain::{configure, returns::ReturnState};
use leadflow_kernel::{ReturnId, SellerId};
use leadflow_platform::audit::Change;

use super::{Actor, App, AppError, audit, put_category::SELLER_UNKNOWN, returned::Undone};
use crate::store::{
    columns, configuration,
    returns::{self, ReturnRow},
};

impl App {
    /// Undoes the sale, or leaves it as it is; once. The same decision again changes nothing. A sale whose lead is returned stays
    /// sold as far as its lead goes: it is not offered to anybody else.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such return, [`AppError::Refused`] when it was decided the other way.
    pub async fn decide_return(
        &self,
        actor: Actor,
        seller: SellerId,
        id: ReturnId,
        approve: bool,
        note: &str,
    ) -> Result<ReturnRow, AppError> {
        configure::description("note", note)?;
        let mut tx = self.tenants.begin(seller).await?;
        let missing = || AppError::NotFound("return");
        let masked = returns::hold_lead(&mut tx, seller, id).await?;
        let before = returns::lock(&mut tx, seller, id).await?.ok_or_else(missing)?;
        let changes = columns::return_state(&before.state)?
            .decide(approve)
            .map_err(|error| AppError::Refused { code: "return_decided", sentence: error.to_string().into() })?;
        if !changes {
            return Ok(before);
        }
        let now = self.clock.now();
        let zone = configuration::time_zone_of(&mut tx, seller).await?.ok_or(SELLER_UNKNOWN)?;
        let sale = Undone {
            campaign: before.campaign_id.into(),
            buyer: before.buyer_id.into(),
            assignment: before.assignment_id.into(),
            sold_at: before.assigned_at,
            zone,
        };
        let leaves = approve && before.counts_out_of_caps;
        let out_of_caps = leaves && self.count_out_of_cap(&mut tx, seller, &sale).await?;
        let state = if approve { ReturnState::Approved } else { ReturnState::Rejected };
        // Words about a person whose data are gone are not kept.
        let note = if masked { "" } else { note };
        returns::decide(&mut tx, id, state, actor.map(|actor| actor.user), note, out_of_caps, now).await?;
        let after = returns::get(&mut tx, seller, None, id).await?.ok_or_else(missing)?;
        let action = if approve { "return.approved" } else { "return.rejected" };
        let change = Change::new(action, id).by(actor).from(audit::decided(&before)?).to(audit::decided(&after)?);
        self.note(&mut tx, seller, change).await?;
        self.commit_return(tx, Some(&after), now).await?;
        Ok(after)
    }
}
