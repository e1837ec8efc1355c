//! Asking distribution which assignments exist.

use std::{collections::HashSet, time::Duration};

use leadflow_contracts::{
    distribution::{AssignmentRef, ConfirmAssignmentsRequest, distribution_client::DistributionClient},
    id,
};
use leadflow_kernel::{AssignmentId, CampaignId, SellerId};
use leadflow_platform::grpc::{Caller, Channel};

/// The most assignments one question may name.
pub const MOST: usize = 1_000;
/// Distribution waits for decisions in flight before it answers.
const DEADLINE: Duration = Duration::from_secs(10);

/// Who knows which assignments exist.
#[async_trait::async_trait]
pub trait Assignments: Send + Sync + 'static {
    /// Of these (at most [`MOST`]), the ones that exist. The others do not, and no transaction that
    /// began before the question can still make them.
    ///
    /// # Errors
    /// [`AssignmentsError`]: then nothing is known.
    async fn known(
        &self,
        tenant: SellerId,
        asked: &[(AssignmentId, CampaignId)],
    ) -> Result<HashSet<AssignmentId>, AssignmentsError>;
}

/// Distribution did not say.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentsError {
    /// The call failed.
    #[error("distribution did not answer: {0}")]
    Call(String),
    /// The answer cannot be read.
    #[error("distribution's answer cannot be read: {0}")]
    Answer(String),
}

/// Asks over gRPC.
#[derive(Clone)]
pub struct Distribution {
    client: DistributionClient<Channel>,
    caller: Caller,
}

impl Distribution {
    /// Asks through `channel` as `caller`.
    #[must_use]
    pub fn new(channel: Channel, caller: Caller) -> Self {
        Self { client: DistributionClient::new(channel), caller }
    }
}

#[async_trait::async_trait]
impl Assignments for Distribution {
    async fn known(
        &self,
        tenant: SellerId,
        asked: &[(AssignmentId, CampaignId)],
    ) -> Result<HashSet<AssignmentId>, AssignmentsError> {
        let assignments = asked
            .iter()
            .map(|(assignment, campaign)| AssignmentRef {
                assignment_id: assignment.to_string(),
                campaign_id: campaign.to_string(),
            })
            .collect();
        let request = self.caller.request(ConfirmAssignmentsRequest { assignments }, tenant, DEADLINE);
        // The deadline is also kept on this side: a peer that hangs must not hold the worker.
        let answer = tokio::time::timeout(DEADLINE, self.client.clone().confirm_assignments(request))
            .await
            .map_err(|_| AssignmentsError::Call("no answer within the deadline".to_owned()))?
            .map_err(|status| AssignmentsError::Call(status.to_string()))?;
        answer
            .into_inner()
            .known_assignment_ids
            .iter()
            .map(|text| id(text, "known_assignment_ids").map_err(|error| AssignmentsError::Answer(error.to_string())))
            .collect()
    }
}
