//! What became of a lead.

use leadflow_contracts::common::{Decision, Outcome};
use leadflow_kernel::LeadId;

use super::{App, authenticate::Caller};

/// What is known of a lead.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It is decided.
    Decided(Decision),
    /// It was accepted and will be decided.
    Pending(LeadId),
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// Nobody here knows such a lead of this supplier; if it was accepted a moment ago by another
    /// gateway it will be known soon.
    #[error("there is no such lead")]
    Unknown,
    /// distribution does not answer.
    #[error("distribution does not answer")]
    Unavailable,
}

impl App {
    /// Looks a lead of the caller's up.
    ///
    /// # Errors
    /// [`LookUpError`].
    pub async fn look_up(&self, caller: &Caller, lead_id: LeadId) -> Result<Status, LookUpError> {
        let decision = self.decisions.find(caller.seller.id, caller.supplier.id, lead_id, None).await;
        let accepted_here =
            || self.recent.get(lead_id).is_some_and(|lead| lead.stored && lead.supplier_id == caller.supplier.id);
        match decision {
            Ok(Some(decision)) => match decision.outcome() {
                Outcome::Pending | Outcome::Unspecified => Ok(Status::Pending(lead_id)),
                _ => Ok(Status::Decided(decision)),
            },
            Ok(None) if accepted_here() => Ok(Status::Pending(lead_id)),
            Ok(None) => Err(LookUpError::Unknown),
            Err(error) => {
                tracing::warn!(%lead_id, %error, "a lead could not be looked up");
                if accepted_here() { Ok(Status::Pending(lead_id)) } else { Err(LookUpError::Unavailable) }
            }
        }
    }
}
