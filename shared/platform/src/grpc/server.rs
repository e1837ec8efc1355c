//! A gRPC server on a listener that is already bound, with health and reflection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::WaitForCancellationFutureOwned;
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

/// The longest a call at hand may go on after the stop.
const DRAIN: Duration = Duration::from_secs(20);

/// Serves `routes` and the standard health service until `shutdown`, then finishes the calls at hand. While the process leaves, calls on open
/// connections are served and no further connection is taken: callers, who try each replica again and again, go to the others.
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
    let (leaving, stopping) = (shutdown.leaving().clone(), shutdown.clone());
    tokio::spawn(async move {
        leaving.cancelled().await;
        reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    });
    // Set here because the server's own setting is for listeners that it binds itself: without it an
    // answer's last frame waits for the caller's delayed acknowledgement.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let incoming = Incoming { leaving: Box::pin(shutdown.leaving().clone().cancelled_owned()), open: Some(incoming) };
    let served = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .max_concurrent_streams(Some(1_024))
        .layer(metrics::grpc::Measured)
        .add_routes(routes.routes())
        .serve_with_incoming_shutdown(incoming, async move { stopping.cancelled().await });
    tokio::select! {
        outcome = served => outcome,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("calls still at hand after the drain time were dropped");
            Ok(())
        }
    }
}

/// Connections until the process leaves. Then the listener is closed, but the server, for which the end of its connections would be the stop, is
/// not told.
struct Incoming {
    leaving: Pin<Box<WaitForCancellationFutureOwned>>,
    open: Option<TcpIncoming>,
}

impl Stream for Incoming {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.open else { return Poll::Pending };
        if let Poll::Ready(next) = Pin::new(open).poll_next(cx) {
            return Poll::Ready(next);
        }
        if self.leaving.as_mut().poll(cx).is_ready() {
            self.open = None;
        }
        Poll::Pending
    }
}
