//! The gRPC service: reads requests, calls the use case, answers.

use leadflow_contracts::{
    id,
    notifier::{
        Attempt, Endpoint, GetEndpointRequest, ListDeliveriesRequest, ListDeliveriesResponse, PutEndpointRequest,
        SendSampleRequest, notifier_server,
    },
};
use leadflow_kernel::{Id, Kind};
use leadflow_platform::grpc::{actor, status, tenant};
use tonic::{Code, Request, Response, Status};

use super::convert;
use crate::app::{self, MAX_PAGE, PutEndpoint};

/// Answers calls with the use cases.
pub struct Service {
    notifier: app::Notifier,
}

impl Service {
    /// Answers with `notifier`.
    #[must_use]
    pub const fn new(notifier: app::Notifier) -> Self {
        Self { notifier }
    }
}

fn read<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, Status> {
    id(text, field).map_err(|e| convert::unreadable(&e))
}

#[tonic::async_trait]
impl notifier_server::Notifier for Service {
    async fn put_endpoint(&self, request: Request<PutEndpointRequest>) -> Result<Response<Endpoint>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let put = PutEndpoint {
            id: read(&request.endpoint_id, "endpoint_id")?,
            buyer: read(&request.buyer_id, "buyer_id")?,
            url: request.url,
            secret: request.secret,
            enabled: request.enabled,
            expected: request.expected_version,
        };
        let view = self.notifier.put_endpoint(actor, tenant, put).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::endpoint(&view)))
    }

    async fn get_endpoint(&self, request: Request<GetEndpointRequest>) -> Result<Response<Endpoint>, Status> {
        let tenant = tenant(&request)?;
        let buyer = read(&request.get_ref().buyer_id, "buyer_id")?;
        let view = self.notifier.get_endpoint(tenant, buyer).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::endpoint(&view)))
    }

    async fn send_sample(&self, request: Request<SendSampleRequest>) -> Result<Response<Attempt>, Status> {
        let buyer = read(&request.get_ref().buyer_id, "buyer_id")?;
        let attempt = self.notifier.send_sample(tenant(&request)?, buyer).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::attempt(attempt)))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let buyer = read(&request.buyer_id, "buyer_id")?;
        if !(1..=MAX_PAGE).contains(&request.limit) {
            return Err(status(Code::InvalidArgument, "invalid_field", format_args!("limit must be 1 to {MAX_PAGE}")));
        }
        let before = match request.before.as_str() {
            "" => None,
            text => Some(read(text, "before")?),
        };
        let listed = self.notifier.list_deliveries(tenant, buyer, before, request.limit).await;
        let deliveries = listed.map_err(|e| convert::refused(&e))?.into_iter().map(convert::delivery).collect();
        Ok(Response::new(ListDeliveriesResponse { deliveries }))
    }
}
