//! The gRPC service of endpoints: what one does with several of them, and with what was sent to them.

use leadflow_contracts::{
    notifier::{
        DeleteEndpointRequest, DeleteEndpointResponse, Endpoint, ListEndpointsRequest, ListEndpointsResponse,
        ReplayDeliveriesRequest, ReplayDeliveriesResponse, RotateEndpointSecretRequest, endpoints_server,
    },
    time_from_ms,
};
use leadflow_platform::grpc::{actor, status, tenant};
use tonic::{Code, Request, Response, Status};

use super::{
    convert, endpoint,
    grpc::{Service, optional, read},
};
use crate::app::Replay;

#[tonic::async_trait]
impl endpoints_server::Endpoints for Service {
    async fn list_endpoints(
        &self,
        request: Request<ListEndpointsRequest>,
    ) -> Result<Response<ListEndpointsResponse>, Status> {
        let tenant = tenant(&request)?;
        let buyer = read(&request.get_ref().buyer_id, "buyer_id")?;
        let found = self.notifier.list_endpoints(tenant, buyer).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(ListEndpointsResponse { endpoints: found.iter().map(endpoint::endpoint).collect() }))
    }

    async fn delete_endpoint(
        &self,
        request: Request<DeleteEndpointRequest>,
    ) -> Result<Response<DeleteEndpointResponse>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let (buyer, id) = (read(&request.buyer_id, "buyer_id")?, read(&request.endpoint_id, "endpoint_id")?);
        let deleted = self.notifier.delete_endpoint(actor, tenant, buyer, id, request.expected_version).await;
        deleted.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(DeleteEndpointResponse {}))
    }

    async fn rotate_endpoint_secret(
        &self,
        request: Request<RotateEndpointSecretRequest>,
    ) -> Result<Response<Endpoint>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let (buyer, id) = (read(&request.buyer_id, "buyer_id")?, read(&request.endpoint_id, "endpoint_id")?);
        let rotated = self.notifier.rotate_endpoint_secret(actor, tenant, buyer, id, &request.secret).await;
        Ok(Response::new(endpoint::endpoint(&rotated.map_err(|e| convert::refused(&e))?)))
    }

    async fn replay_deliveries(
        &self,
        request: Request<ReplayDeliveriesRequest>,
    ) -> Result<Response<ReplayDeliveriesResponse>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let buyer = read(&request.buyer_id, "buyer_id")?;
        let time = |ms, field: &str| {
            let what = format_args!("{field} is no time").to_string();
            time_from_ms(ms).ok_or_else(|| status(Code::InvalidArgument, "invalid_field", what))
        };
        let what = match optional(&request.delivery_id, "delivery_id")? {
            Some(delivery) => Replay::One(delivery),
            None => Replay::Time {
                endpoint: read(&request.endpoint_id, "endpoint_id")?,
                from: time(request.from_ms, "from_ms")?,
                until: time(request.until_ms, "until_ms")?,
                failed_only: request.failed_only,
                after: optional(&request.after, "after")?,
            },
        };
        let replayed = self.notifier.replay_deliveries(actor, tenant, buyer, what).await;
        let replayed = replayed.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(ReplayDeliveriesResponse {
            replayed: replayed.count,
            next_after: replayed.next_after.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }
}
