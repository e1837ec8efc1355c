//! A small HTTP client for this machine's own services.

use std::time::Duration;

use ::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Longer than any of our services takes to answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Keeps connections; clones share them.
#[derive(Debug, Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Seconds to wait before trying again, if the answer says so.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Bytes,
}

impl Http {
    /// No connections yet.
    #[must_use]
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Sends JSON and waits for the whole answer.
    ///
    /// # Errors
    /// When no whole answer comes within 15 s: what was sent may or may not have been carried out.
    pub async fn send_json(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        let whole = async {
            let (parts, body) = self.0.request(request).await?.into_parts();
            let retry_after = parts.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: parts.status, retry_after, body })
        };
        tokio::time::timeout(TIMEOUT, whole).await.map_err(|_| anyhow::anyhow!("{url} did not answer within 15 s"))?
    }
}
