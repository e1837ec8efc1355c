//! The gRPC service: reads requests, calls the use case, answers. Every call is for one tenant, and
//! another tenant's wallet is not found.

use leadflow_contracts::billing::{
    CreditWalletRequest, CreditWalletResponse, GetWalletRequest, ListTransactionsRequest, ListTransactionsResponse,
    PlaceHoldsRequest, PlaceHoldsResponse, ReleaseHoldsRequest, ReleaseHoldsResponse, SetLowBalanceThresholdRequest,
    Wallet, billing_server,
};
use leadflow_messaging::trace;
use leadflow_platform::grpc::{actor, tenant, traceparent};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::convert::{self, invalid, read_id, refused};
use crate::app::{Billing, SeenHold};

/// The most holds one call may place or release.
pub const MOST_HOLDS: usize = 4_096;
/// The most lines a page of a statement may have.
const MOST_LINES: u32 = 200;

/// Answers calls with the use cases.
pub struct Service {
    billing: Billing,
}

impl Service {
    /// Answers with `billing`.
    #[must_use]
    pub const fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

fn at_most_holds(count: usize) -> Result<(), Status> {
    if count > MOST_HOLDS { Err(invalid(format_args!("at most {MOST_HOLDS} holds a call"))) } else { Ok(()) }
}

#[tonic::async_trait]
impl billing_server::Billing for Service {
    async fn place_holds(&self, request: Request<PlaceHoldsRequest>) -> Result<Response<PlaceHoldsResponse>, Status> {
        let tenant = tenant(&request)?;
        let holds = &request.get_ref().holds;
        at_most_holds(holds.len())?;
        let asked = holds.iter().map(|hold| convert::hold_request(tenant, hold)).collect::<Result<Vec<_>, Status>>()?;
        // Recorded only while traces are exported, like every span of the target.
        let span = tracing::trace_span!(target: "leadflow::trace", "place_holds", holds = asked.len());
        trace::set_parent(&span, traceparent(&request));
        let outcomes =
            self.billing.place_holds(tenant, &asked).instrument(span).await.map_err(|error| refused(&error))?;
        let outcomes = outcomes.into_iter().map(|outcome| convert::outcome_to_proto(outcome).into()).collect();
        Ok(Response::new(PlaceHoldsResponse { outcomes }))
    }

    async fn release_holds(
        &self,
        request: Request<ReleaseHoldsRequest>,
    ) -> Result<Response<ReleaseHoldsResponse>, Status> {
        let tenant = tenant(&request)?;
        let ids = &request.get_ref().hold_ids;
        at_most_holds(ids.len())?;
        let seen = ids
            .iter()
            .map(|text| Ok(SeenHold { id: read_id(text, "hold_ids")?, attempts: None }))
            .collect::<Result<Vec<_>, Status>>()?;
        let released = self.billing.release_holds(tenant, &seen).await.map_err(|error| refused(&error))?;
        Ok(Response::new(ReleaseHoldsResponse { released }))
    }

    async fn credit_wallet(
        &self,
        request: Request<CreditWalletRequest>,
    ) -> Result<Response<CreditWalletResponse>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let new = convert::new_credit(tenant, request.into_inner())?;
        let credited = self.billing.credit_wallet(actor, new).await.map_err(|error| refused(&error))?;
        Ok(Response::new(CreditWalletResponse {
            wallet: Some(convert::wallet_to_proto(&credited.wallet, self.billing.clock().now())),
            credited_now: credited.now,
        }))
    }

    async fn set_low_balance_threshold(
        &self,
        request: Request<SetLowBalanceThresholdRequest>,
    ) -> Result<Response<Wallet>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let (buyer, threshold) = convert::threshold(request.get_ref())?;
        let wallet = self
            .billing
            .set_low_balance_threshold(actor, tenant, buyer, threshold)
            .await
            .map_err(|error| refused(&error))?;
        Ok(Response::new(convert::wallet_to_proto(&wallet, self.billing.clock().now())))
    }

    async fn get_wallet(&self, request: Request<GetWalletRequest>) -> Result<Response<Wallet>, Status> {
        let tenant = tenant(&request)?;
        let buyer = read_id(&request.get_ref().buyer_id, "buyer_id")?;
        let wallet = self.billing.wallet(tenant, buyer).await.map_err(|error| refused(&error))?;
        Ok(Response::new(convert::wallet_to_proto(&wallet, self.billing.clock().now())))
    }

    async fn list_transactions(
        &self,
        request: Request<ListTransactionsRequest>,
    ) -> Result<Response<ListTransactionsResponse>, Status> {
        let tenant = tenant(&request)?;
        let request = request.get_ref();
        let buyer = read_id(&request.buyer_id, "buyer_id")?;
        if !(1..=MOST_LINES).contains(&request.limit) {
            return Err(invalid(format_args!("limit: must be 1 to {MOST_LINES}")));
        }
        let before = match request.before.as_str() {
            "" => None,
            text => Some(read_id(text, "before")?),
        };
        let page =
            self.billing.statement(tenant, buyer, before, request.limit).await.map_err(|error| refused(&error))?;
        Ok(Response::new(convert::page_to_proto(&page)?))
    }
}
