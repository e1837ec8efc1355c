//! Passing suppliers' requests on to the ingest gateway, which judges them itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use url::Url;

/// The most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;

/// What a supplier's request says in its headers.
const FORWARDED: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-request-id"),
];
/// What the gateway says in its headers.
const RETURNED: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// The gateway's replicas, asked in turn. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Gateway {
    client: Client<HttpConnector, Full<Bytes>>,
    replicas: Arc<[String]>,
    next: Arc<AtomicUsize>,
    deadline: Duration,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Those of its headers that are for the caller.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// No whole answer came: what was sent may or may not have been carried out.
#[derive(Debug)]
pub struct NoAnswer;

impl Gateway {
    /// The gateway at `urls` (one, or several replicas, comma-separated). An answer may take `deadline`.
    ///
    /// # Errors
    /// When an address cannot be used.
    pub fn new(urls: &str, deadline: Duration) -> anyhow::Result<Self> {
        let replicas = urls
            .split(',')
            .map(|url| {
                let url = url.trim();
                Url::parse(url)
                    .ok()
                    .filter(|parsed| parsed.scheme() == "http" && parsed.has_host())
                    .context("INGEST_HTTP_URL must be http addresses such as http://ingest:8080")?;
                Ok(url.trim_end_matches('/').to_owned())
            })
            .collect::<anyhow::Result<_>>()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, replicas, next: Arc::default(), deadline })
    }

    /// Passes a request on. A replica that cannot be connected to is passed over: it has seen nothing.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn forward(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let asking = self.ask(method, uri, headers, body);
        tokio::time::timeout(self.deadline, asking).await.unwrap_or(Err(NoAnswer))
    }

    async fn ask(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Answer, NoAnswer> {
        let path = uri.path_and_query().map_or("/", |whole| whole.as_str());
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..self.replicas.len() {
            let replica = &self.replicas[first.wrapping_add(turn) % self.replicas.len()];
            let mut request = Request::builder()
                .method(method)
                .uri(format!("{replica}{path}"))
                .body(Full::new(body.clone()))
                .map_err(|_| NoAnswer)?;
            copy(headers, request.headers_mut(), &FORWARDED);
            match self.client.request(request).await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|_| NoAnswer)?.to_bytes();
                    let mut headers = HeaderMap::new();
                    copy(&parts.headers, &mut headers, &RETURNED);
                    return Ok(Answer { status: parts.status, headers, body });
                }
                Err(error) if error.is_connect() => {}
                Err(_) => break,
            }
        }
        Err(NoAnswer)
    }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}
