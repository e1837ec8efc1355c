//! What calls of another service go through.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Request, Response};
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use tokio::time::Instant;
use tonic::{ConnectError, body::Body, transport};
use tower::{BoxError, Service, ServiceExt as _};

/// How long a call is tried on other replicas: until one that died is surely out of the balance.
const ELSEWHERE: Duration = Duration::from_millis(1_500);
/// Before the second try; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(5);

/// A service, at one address or with several replicas. Cheap to clone; clones share connections.
///
/// A call that a replica has surely not seen, because there was no connection to send it on, is sent to another one while any answers. Whatever
/// may have been sent is not: what then is safe only the caller knows.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: transport::Channel,
    /// Of several replicas, how many answered lately.
    answering: Option<Arc<AtomicUsize>>,
}

impl Channel {
    /// The one replica that there is.
    pub(super) const fn single(inner: transport::Channel) -> Self {
        Self { inner, answering: None }
    }

    /// A balance over replicas, of which so many answer.
    pub(super) const fn balanced(inner: transport::Channel, answering: Arc<AtomicUsize>) -> Self {
        Self { inner, answering: Some(answering) }
    }

    /// Whether another replica may answer where one did not.
    pub(super) fn has_others(&self) -> bool {
        self.answering.as_ref().is_some_and(|answering| answering.load(Ordering::Relaxed) > 0)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.answering {
            None => self.inner.poll_ready(cx).map_err(Into::into),
            // Each try waits for itself.
            Some(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match &self.answering {
            None => {
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await?) })
            }
            Some(answering) => Box::pin(somewhere(self.inner.clone(), Arc::clone(answering), request)),
        }
    }
}

async fn somewhere(
    replicas: transport::Channel,
    answering: Arc<AtomicUsize>,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    // No call of ours streams its request: its one message is there already.
    let body = body.collect().await?.to_bytes();
    let (begin, mut pause) = (Instant::now(), PAUSE);
    loop {
        let request = Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
        match replicas.clone().oneshot(request).await {
            Err(error)
                if was_not_sent(&error) && answering.load(Ordering::Relaxed) > 0 && begin.elapsed() < ELSEWHERE =>
            {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome.map_err(Into::into),
        }
    }
}

/// No connection could be made, or it was lost before the call was sent on it.
fn was_not_sent(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<ConnectError>() || error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        cause = error.source();
    }
    false
}
