//! The gRPC service of returns: reads requests, calls the use case or asks the catalogue, answers.

use leadflow_contracts::{
    distribution::{
        DecideReturnRequest, GetReturnRequest, ListReturnsRequest, ListReturnsResponse, RequestReturnRequest, Return,
        ReturnState as WireState, returns_server,
    },
    money_to_proto, time_to_ms,
};
use leadflow_distribution_domain::{ask, returns::ReturnState};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, ReturnId, UserId};
use leadflow_platform::grpc::{actor, status, tenant};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{
    asked::optional_id,
    catalogue::page,
    convert::{invalid, read_id, refused},
};
use crate::{
    app::{App, AppError, Catalogue, ReturnWish},
    store::{
        columns,
        returns::{ReturnFilter, ReturnRow},
    },
};

/// Answers calls with the use cases and from the catalogue.
pub struct ReturnsService {
    app: App,
    catalogue: Catalogue,
}

impl ReturnsService {
    /// Changes with `app`, and answers from `catalogue`.
    #[must_use]
    pub const fn new(app: App, catalogue: Catalogue) -> Self {
        Self { app, catalogue }
    }
}

/// The contract's word for a state.
pub(super) const fn state_to_proto(state: ReturnState) -> WireState {
    match state {
        ReturnState::Requested => WireState::Requested,
        ReturnState::Approved => WireState::Approved,
        ReturnState::Rejected => WireState::Rejected,
    }
}

fn answer(row: ReturnRow) -> Result<Return, Status> {
    read(row).map_err(|error| refused(AppError::Database(error)))
}

fn read(row: ReturnRow) -> Result<Return, sqlx::Error> {
    let user = |id: Option<Uuid>| id.map_or_else(String::new, |id| UserId::from_uuid(id).to_string());
    Ok(Return {
        return_id: ReturnId::from_uuid(row.return_id).to_string(),
        assignment_id: AssignmentId::from_uuid(row.assignment_id).to_string(),
        lead_id: LeadId::from_uuid(row.lead_id).to_string(),
        buyer_id: BuyerId::from_uuid(row.buyer_id).to_string(),
        campaign_id: CampaignId::from_uuid(row.campaign_id).to_string(),
        campaign_name: row.campaign_name,
        price: Some(money_to_proto(columns::money(row.price, &row.currency)?)),
        state: state_to_proto(columns::return_state(&row.state)?).into(),
        reason: row.reason,
        note: row.note,
        assigned_at_ms: time_to_ms(row.assigned_at),
        requested_at_ms: time_to_ms(row.requested_at),
        requested_by: user(row.requested_by),
        decided_by: user(row.decided_by),
        decided_at_ms: row.decided_at.map_or(0, time_to_ms),
        decision_note: row.decision_note,
        automatic: row.automatic,
    })
}

fn filter(wanted: &ListReturnsRequest) -> Result<ReturnFilter, Status> {
    let mut states = Vec::new();
    for number in &wanted.states {
        states.push(match WireState::try_from(*number) {
            Ok(WireState::Requested) => ReturnState::Requested,
            Ok(WireState::Approved) => ReturnState::Approved,
            Ok(WireState::Rejected) => ReturnState::Rejected,
            Ok(WireState::Unspecified) | Err(_) => {
                return Err(status(Code::InvalidArgument, "invalid_field", "states: unknown"));
            }
        });
    }
    let (from, until) = ask::bounds(wanted.from_ms, wanted.until_ms).map_err(|error| invalid(&error))?;
    Ok(ReturnFilter {
        buyer: optional_id(&wanted.buyer_id, "buyer_id")?,
        campaign: optional_id(&wanted.campaign_id, "campaign_id")?,
        states,
        from,
        until,
    })
}

#[tonic::async_trait]
impl returns_server::Returns for ReturnsService {
    async fn request_return(&self, request: Request<RequestReturnRequest>) -> Result<Response<Return>, Status> {
        let (seller, actor) = (tenant(&request)?, actor(&request)?);
        let asked = request.into_inner();
        let wish = ReturnWish {
            id: read_id(&asked.return_id, "return_id")?,
            assignment: read_id(&asked.assignment_id, "assignment_id")?,
            buyer: read_id(&asked.buyer_id, "buyer_id")?,
            reason: asked.reason,
            note: asked.note,
        };
        let made = self.app.request_return(actor, seller, wish).await.map_err(refused)?;
        Ok(Response::new(answer(made)?))
    }

    async fn decide_return(&self, request: Request<DecideReturnRequest>) -> Result<Response<Return>, Status> {
        let (seller, actor) = (tenant(&request)?, actor(&request)?);
        let asked = request.get_ref();
        let id = read_id(&asked.return_id, "return_id")?;
        let decided = self.app.decide_return(actor, seller, id, asked.approve, &asked.note).await.map_err(refused)?;
        Ok(Response::new(answer(decided)?))
    }

    async fn get_return(&self, request: Request<GetReturnRequest>) -> Result<Response<Return>, Status> {
        let (seller, asked) = (tenant(&request)?, request.get_ref());
        let (id, buyer) = (read_id(&asked.return_id, "return_id")?, optional_id(&asked.buyer_id, "buyer_id")?);
        Ok(Response::new(answer(self.catalogue.get_return(seller, buyer, id).await.map_err(refused)?)?))
    }

    async fn list_returns(
        &self,
        request: Request<ListReturnsRequest>,
    ) -> Result<Response<ListReturnsResponse>, Status> {
        let (seller, wanted) = (tenant(&request)?, request.get_ref());
        let (page, filter) = (page(wanted.page, wanted.limit)?, filter(wanted)?);
        let found = self.catalogue.list_returns(seller, &filter, page).await.map_err(refused)?;
        let returns = found.returns.into_iter().map(answer).collect::<Result<_, _>>()?;
        Ok(Response::new(ListReturnsResponse { returns, total: found.total }))
    }
}
