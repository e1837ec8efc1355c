//! The gRPC service: reads requests, calls the use case, answers.

use leadflow_contracts::distribution::{
    Campaign, Category, ConfirmAssignmentsRequest, ConfirmAssignmentsResponse, GetCampaignRequest, GetDecisionRequest,
    GetDecisionResponse, GetLeadRequest, Lead, PutCampaignRequest, PutCategoryRequest, PutSubscriptionRequest,
    Subscription, distribution_server,
};
use leadflow_platform::grpc::{actor, tenant};
use tonic::{Request, Response, Status};

use super::convert::{self, read_id, refused};
use crate::app::{App, AppError};

/// Answers calls with the use cases.
pub struct Service {
    app: App,
}

impl Service {
    /// Answers with `app`.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

#[tonic::async_trait]
impl distribution_server::Distribution for Service {
    async fn put_category(&self, request: Request<PutCategoryRequest>) -> Result<Response<Category>, Status> {
        let (seller, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let expected = request.expected_version;
        let wanted = convert::category(seller, request)?;
        let category = self.app.put_category(actor, seller, wanted, expected).await.map_err(refused)?;
        Ok(Response::new(convert::category_to_proto(&category)))
    }

    async fn put_campaign(&self, request: Request<PutCampaignRequest>) -> Result<Response<Campaign>, Status> {
        let (seller, actor) = (tenant(&request)?, actor(&request)?);
        let mut request = request.into_inner();
        let returns = request.returns.take().map(convert::return_policy);
        let expected = request.expected_version;
        let wanted = convert::campaign(seller, request)?;
        let id = self.app.put_campaign(actor, seller, wanted, returns, expected).await.map_err(refused)?.id;
        let view = self.app.get_campaign(seller, id).await.map_err(refused)?;
        Ok(Response::new(convert::campaign_view_to_proto(&view)))
    }

    async fn put_subscription(
        &self,
        request: Request<PutSubscriptionRequest>,
    ) -> Result<Response<Subscription>, Status> {
        let (seller, actor) = (tenant(&request)?, actor(&request)?);
        let wanted = convert::subscription(seller, request.get_ref())?;
        let expected = request.get_ref().expected_version;
        let put = self.app.put_subscription(actor, seller, wanted, expected).await;
        let (subscription, sold) = put.map_err(refused)?;
        Ok(Response::new(convert::subscription_to_proto(&subscription, sold)))
    }

    async fn get_campaign(&self, request: Request<GetCampaignRequest>) -> Result<Response<Campaign>, Status> {
        let id = read_id(&request.get_ref().campaign_id, "campaign_id")?;
        let view = self.app.get_campaign(tenant(&request)?, id).await.map_err(refused)?;
        Ok(Response::new(convert::campaign_view_to_proto(&view)))
    }

    async fn get_decision(
        &self,
        request: Request<GetDecisionRequest>,
    ) -> Result<Response<GetDecisionResponse>, Status> {
        let (seller, asked) = (tenant(&request)?, request.get_ref());
        let lead = read_id(&asked.lead_id, "lead_id")?;
        let supplier = read_id(&asked.supplier_id, "supplier_id")?;
        let decision = self.app.get_decision(seller, supplier, lead, &asked.body_hash).await.map_err(refused)?;
        Ok(Response::new(GetDecisionResponse { decision: Some(decision) }))
    }

    async fn get_lead(&self, request: Request<GetLeadRequest>) -> Result<Response<Lead>, Status> {
        let id = read_id(&request.get_ref().lead_id, "lead_id")?;
        let view = self.app.get_lead(tenant(&request)?, id).await.map_err(refused)?;
        let lead = convert::lead_to_proto(view).map_err(|error| refused(AppError::Database(error)))?;
        Ok(Response::new(lead))
    }

    async fn confirm_assignments(
        &self,
        request: Request<ConfirmAssignmentsRequest>,
    ) -> Result<Response<ConfirmAssignmentsResponse>, Status> {
        let asked = request
            .get_ref()
            .assignments
            .iter()
            .map(|one| Ok((read_id(&one.assignment_id, "assignment_id")?, read_id(&one.campaign_id, "campaign_id")?)))
            .collect::<Result<Vec<_>, Status>>()?;
        let known = self.app.confirm_assignments(tenant(&request)?, &asked).await.map_err(refused)?;
        let known_assignment_ids = known.iter().map(ToString::to_string).collect();
        Ok(Response::new(ConfirmAssignmentsResponse { known_assignment_ids }))
    }
}
