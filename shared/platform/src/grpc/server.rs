//! A gRPC server on a listener that is already bound, with health and reflection.

use std::time::Duration;

use tokio::net::TcpListener;
use tonic::{
    Request, Status,
    service::{Interceptor, Routes, RoutesBuilder},
    transport::{Server, server::TcpIncoming},
};

use super::auth::ServiceToken;
use crate::{Shutdown, metrics};

/// Lets through only calls that show the service token.
#[derive(Debug, Clone)]
pub struct Guard(ServiceToken);

impl Interceptor for Guard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        self.0.check(&request)?;
        Ok(request)
    }
}

/// The interceptor for `XServer::with_interceptor(service, guard(&token))`.
#[must_use]
pub fn guard(token: &ServiceToken) -> Guard {
    Guard(token.clone())
}

/// Routes with reflection; add services with `add_service`.
///
/// # Errors
/// When the descriptor set cannot be read (a build error).
pub fn builder() -> Result<RoutesBuilder, tonic_reflection::server::Error> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(leadflow_contracts::DESCRIPTOR_SET)
        .build_v1()?;
    let mut routes = Routes::builder();
    routes.add_service(reflection);
    Ok(routes)
}

/// Serves `routes` and the standard health service until `shutdown`, then finishes the calls at hand.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    mut routes: RoutesBuilder,
    shutdown: Shutdown,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    routes.add_service(health);
    let stopping = shutdown.clone();
    // Set here because the server's own setting is for listeners that it binds itself: without it an
    // answer's last frame waits for the caller's delayed acknowledgement.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .max_concurrent_streams(Some(1_024))
        .layer(metrics::grpc::Measured)
        .add_routes(routes.routes())
        .serve_with_incoming_shutdown(incoming, async move {
            stopping.cancelled().await;
            reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        })
        .await
}
