//! Asking distribution what became of a lead.

use std::time::Duration;

use leadflow_contracts::{
    common::Decision,
    distribution::{GetDecisionRequest, distribution_client::DistributionClient},
};
use leadflow_kernel::{LeadId, SellerId, SupplierId};
use leadflow_platform::grpc::{Caller, Channel};
use tonic::Code;

/// distribution could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("distribution could not be asked: {0}")]
pub struct LookupError(#[from] tonic::Status);

/// Looks decisions up.
#[derive(Debug, Clone)]
pub struct Decisions {
    client: DistributionClient<Channel>,
    caller: Caller,
    deadline: Duration,
}

impl Decisions {
    /// Asks over `channel`, for at most `deadline`.
    #[must_use]
    pub fn new(channel: Channel, caller: Caller, deadline: Duration) -> Self {
        Self { client: DistributionClient::new(channel), caller, deadline }
    }

    /// The decision on a supplier's lead; `None` when there is none (yet). With a `body_hash`, a lead
    /// that was posted with another body answers `OUTCOME_CONFLICT`.
    ///
    /// # Errors
    /// [`LookupError`] when distribution does not answer.
    pub async fn find(
        &self,
        seller_id: SellerId,
        supplier_id: SupplierId,
        lead_id: LeadId,
        body_hash: Option<[u8; 32]>,
    ) -> Result<Option<Decision>, LookupError> {
        let request = GetDecisionRequest {
            lead_id: lead_id.to_string(),
            supplier_id: supplier_id.to_string(),
            body_hash: body_hash.map(|hash| hash.to_vec().into()).unwrap_or_default(),
        };
        let request = self.caller.request(request, seller_id, self.deadline);
        let mut client = self.client.clone();
        // The request's own time-out is the server's to keep; this one holds if it hangs.
        let answer = tokio::time::timeout(self.deadline, client.get_decision(request))
            .await
            .map_err(|_| LookupError(tonic::Status::deadline_exceeded("no answer in time")))?;
        match answer {
            Ok(found) => Ok(found.into_inner().decision),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }
}
