//! Rate, errors and duration of gRPC calls, by method.

use std::{
    convert::Infallible,
    sync::LazyLock,
    task::{Context, Poll},
    time::Instant,
};

use axum::http::{Request, Response};
use futures::future::BoxFuture;
use opentelemetry::{KeyValue, metrics::Histogram};
use tower::{Layer, Service};

use super::seconds;

static DURATION: LazyLock<Histogram<f64>> =
    LazyLock::new(|| seconds("rpc.server.duration", "from a call's head to its answer's head"));

/// Measures the calls of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured;

impl<S> Layer<S> for Measured {
    type Service = Measuring<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Measuring(inner)
    }
}

/// A server whose calls are measured.
#[derive(Debug, Clone)]
pub(crate) struct Measuring<S>(S);

impl<S, B, A> Service<Request<B>> for Measuring<S>
where
    S: Service<Request<B>, Response = Response<A>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let started = Instant::now();
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let answering = self.0.call(request);
        Box::pin(async move {
            let response = answering.await?;
            // An error without a message is all in the head; a stream that fails later counts as begun well.
            let status = response.headers().get("grpc-status").and_then(|status| status.to_str().ok()).unwrap_or("0");
            // 12: no such method; its name is the caller's own.
            let (service, method) =
                if status == "12" { ("", "") } else { path.split_once('/').unwrap_or((path.as_str(), "")) };
            let labels = [
                KeyValue::new("rpc.service", service.to_owned()),
                KeyValue::new("rpc.method", method.to_owned()),
                KeyValue::new("rpc.grpc.status_code", status.to_owned()),
            ];
            DURATION.record(started.elapsed().as_secs_f64(), &labels);
            Ok(response)
        })
    }
}
