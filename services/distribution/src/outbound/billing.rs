//! Asking billing to hold the price of sales.

use std::time::Duration;

use leadflow_contracts::{
    billing::{self as wire, billing_client::BillingClient},
    money_to_proto,
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, Money, SellerId};
use leadflow_platform::grpc::{Caller, Channel, ServiceToken};
use tonic::{Code, Status};

/// How long billing may take with one question. Well below the lock time-out: the question is
/// asked while the campaign is locked.
const DEADLINE: Duration = Duration::from_secs(3);
/// Holds in one question, by contract.
const MAX_HOLDS: usize = 4_096;

/// Money to be held.
#[derive(Debug, Clone)]
pub struct Hold {
    /// The assignment that it pays for; the same for every repeat.
    pub id: AssignmentId,
    /// Whose money.
    pub buyer: BuyerId,
    /// For which lead.
    pub lead: LeadId,
    /// In which campaign.
    pub campaign: CampaignId,
    /// How much.
    pub amount: Money,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOutcome {
    /// The money is held.
    Held,
    /// It was taken before: the sale exists.
    AlreadyCaptured,
    /// Not enough money.
    InsufficientFunds,
    /// The weekly spending limit.
    WeeklyLimit,
    /// The monthly spending limit.
    MonthlyLimit,
    /// No usable wallet.
    WalletBlocked,
}

/// Billing did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HoldsError {
    /// It could not be reached, or not in time: ask again.
    #[error("billing cannot be asked: {0}")]
    Unavailable(String),
    /// It does not understand the question: asking again does not help.
    #[error("billing refused the question: {0}")]
    Refused(String),
}

/// Who holds the money. A trait so that tests can let it fail as they need.
#[tonic::async_trait]
pub trait Holds: Send + Sync + 'static {
    /// Asks for holds on wallets of one tenant; the outcomes are in the order of the request.
    /// Asking again for a hold that stands is granted again.
    async fn place(
        &self,
        seller: SellerId,
        holds: &[Hold],
        traceparent: Option<&str>,
    ) -> Result<Vec<HoldOutcome>, HoldsError>;

    /// Gives holds back.
    async fn release(&self, seller: SellerId, holds: &[AssignmentId]) -> Result<(), HoldsError>;
}

/// The real billing, over gRPC.
#[derive(Clone)]
pub struct BillingHolds {
    client: BillingClient<Channel>,
    caller: Caller,
}

impl BillingHolds {
    /// Billing at the other end of `channel`.
    #[must_use]
    pub fn new(channel: Channel, token: ServiceToken) -> Self {
        Self { client: BillingClient::new(channel), caller: Caller::new(token) }
    }
}

#[tonic::async_trait]
impl Holds for BillingHolds {
    async fn place(
        &self,
        seller: SellerId,
        holds: &[Hold],
        traceparent: Option<&str>,
    ) -> Result<Vec<HoldOutcome>, HoldsError> {
        let mut outcomes = Vec::with_capacity(holds.len());
        for part in holds.chunks(MAX_HOLDS) {
            let request = wire::PlaceHoldsRequest { holds: part.iter().map(to_wire).collect() };
            let request = self.caller.traced(request, seller, DEADLINE, traceparent);
            let answer = within(self.client.clone().place_holds(request)).await?;
            if answer.outcomes.len() != part.len() {
                return Err(HoldsError::Refused("another number of outcomes than of holds".to_owned()));
            }
            for outcome in answer.outcomes() {
                outcomes.push(from_wire(outcome)?);
            }
        }
        Ok(outcomes)
    }

    async fn release(&self, seller: SellerId, holds: &[AssignmentId]) -> Result<(), HoldsError> {
        for part in holds.chunks(MAX_HOLDS) {
            let request = wire::ReleaseHoldsRequest { hold_ids: part.iter().map(ToString::to_string).collect() };
            let request = self.caller.request(request, seller, DEADLINE);
            within(self.client.clone().release_holds(request)).await?;
        }
        Ok(())
    }
}

/// The deadline also holds for a server that does not answer at all.
async fn within<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, HoldsError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Err(_) => Err(HoldsError::Unavailable("no answer in time".to_owned())),
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(match status.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => {
                HoldsError::Refused(status.message().to_owned())
            }
            code => HoldsError::Unavailable(format!("{code:?}: {}", status.message())),
        }),
    }
}

fn to_wire(hold: &Hold) -> wire::HoldRequest {
    wire::HoldRequest {
        hold_id: hold.id.to_string(),
        buyer_id: hold.buyer.to_string(),
        lead_id: hold.lead.to_string(),
        campaign_id: hold.campaign.to_string(),
        amount: Some(money_to_proto(hold.amount)),
    }
}

fn from_wire(outcome: wire::HoldOutcome) -> Result<HoldOutcome, HoldsError> {
    Ok(match outcome {
        wire::HoldOutcome::Held => HoldOutcome::Held,
        wire::HoldOutcome::AlreadyCaptured => HoldOutcome::AlreadyCaptured,
        wire::HoldOutcome::InsufficientFunds => HoldOutcome::InsufficientFunds,
        wire::HoldOutcome::WeeklyLimit => HoldOutcome::WeeklyLimit,
        wire::HoldOutcome::MonthlyLimit => HoldOutcome::MonthlyLimit,
        wire::HoldOutcome::WalletBlocked => HoldOutcome::WalletBlocked,
        wire::HoldOutcome::Unspecified => {
            return Err(HoldsError::Refused("an outcome that this version does not know".to_owned()));
        }
    })
}
