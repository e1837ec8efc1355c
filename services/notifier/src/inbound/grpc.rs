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

use super::{convert, endpoint};
use crate::app::{self, MAX_PAGE};

/// Answers calls with the use cases.
#[derive(Clone)]
pub struct Service {
    pub(super) notifier: app::Notifier,
}

impl Service {
    /// Answers with `notifier`.
    #[must_use]
    pub const fn new(notifier: app::Notifier) -> Self {
        Self { notifier }
    }
}

pub(super) fn read<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, Status> {
    id(text, field).map_err(|e| convert::unreadable(&e))
}

/// `None` when it is empty.
pub(super) fn optional<K: Kind>(text: &str, field: &'static str) -> Result<Option<Id<K>>, Status> {
    if text.is_empty() { Ok(None) } else { read(text, field).map(Some) }
}

#[tonic::async_trait]
impl notifier_server::Notifier for Service {
    async fn put_endpoint(&self, request: Request<PutEndpointRequest>) -> Result<Response<Endpoint>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let put = endpoint::put(request.into_inner())?;
        let view = self.notifier.put_endpoint(actor, tenant, put).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(endpoint::endpoint(&view)))
    }

    async fn get_endpoint(&self, request: Request<GetEndpointRequest>) -> Result<Response<Endpoint>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let (buyer, id) = (read(&request.buyer_id, "buyer_id")?, optional(&request.endpoint_id, "endpoint_id")?);
        let view = self.notifier.get_endpoint(tenant, buyer, id).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(endpoint::endpoint(&view)))
    }

    async fn send_sample(&self, request: Request<SendSampleRequest>) -> Result<Response<Attempt>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let (buyer, id) = (read(&request.buyer_id, "buyer_id")?, optional(&request.endpoint_id, "endpoint_id")?);
        let sample = self.notifier.send_sample(tenant, buyer, id).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(convert::attempt(sample)))
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
        let before = optional(&request.before, "before")?;
        let listed = self.notifier.list_deliveries(tenant, buyer, before, request.limit).await;
        let deliveries = listed.map_err(|e| convert::refused(&e))?.into_iter().map(convert::delivery).collect();
        Ok(Response::new(ListDeliveriesResponse { deliveries }))
    }
}
