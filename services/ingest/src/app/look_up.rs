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
    Pending {
        /// Proves to any gateway that it was accepted, when this one knows it.
        receipt: Option<String>,
    },
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// distribution has decided no such lead of this supplier, nothing shows that one was accepted,
    /// and nothing rules it out: another gateway's may still be on its way.
    #[error("there is no such lead")]
    Unknown,
    /// The lead under this key was made of another body; the one of the receipt had no effect.
    #[error("another body came first under this key")]
    OtherBody,
    /// distribution does not answer.
    #[error("distribution does not answer")]
    Unavailable,
}

impl App {
    /// Looks a lead of the caller's up; the `receipt` of an accepted post shows that it was accepted,
    /// and what. A text that is no receipt of this lead's is as good as none.
    ///
    /// # Errors
    /// [`LookUpError`].
    pub async fn look_up(
        &self,
        caller: &Caller,
        lead_id: LeadId,
        receipt: Option<&str>,
    ) -> Result<Status, LookUpError> {
        let supplier_id = caller.supplier.id;
        let shown = receipt.and_then(|text| self.receipts.read(supplier_id, lead_id, text));
        let decision = self.decisions.find(caller.seller.id, supplier_id, lead_id, shown).await;
        let accepted_here = || {
            let known = self.recent.get(lead_id).filter(|lead| lead.stored && lead.supplier_id == supplier_id);
            known.map(|lead| lead.body_hash)
        };
        let accepted = || {
            let body_hash = shown.or_else(accepted_here)?;
            Some(self.receipts.write(supplier_id, lead_id, body_hash))
        };
        let pending_or = |error| match accepted() {
            None => Err(error),
            receipt => Ok(Status::Pending { receipt }),
        };
        match decision {
            Ok(Some(decision)) => match decision.outcome() {
                Outcome::Pending | Outcome::Unspecified => Ok(Status::Pending { receipt: accepted() }),
                Outcome::Conflict => Err(LookUpError::OtherBody),
                _ => Ok(Status::Decided(decision)),
            },
            Ok(None) => pending_or(LookUpError::Unknown),
            Err(error) => {
                tracing::warn!(%lead_id, %error, "a lead could not be looked up");
                pending_or(LookUpError::Unavailable)
            }
        }
    }
}
