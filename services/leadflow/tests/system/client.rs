//! A supplier's HTTP client.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};
use leadflow_testkit::books::{self, Answered};
use serde_json::Value;

/// Longer than the gateway ever takes to answer.
const PATIENCE: Duration = Duration::from_secs(45);

/// Keeps connections; clones share them.
#[derive(Clone)]
pub struct Client(Hyper<HttpConnector, Full<Bytes>>);

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Client {
    pub fn new() -> Self {
        Self(Hyper::builder(TokioExecutor::new()).build_http())
    }

    /// `Err` when no whole answer came: what was sent may or may not have been carried out.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.send_bytes(method, url, headers, body).await
    }

    /// The same with a body that need not be JSON, but is said to be.
    pub async fn send_bytes(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(body.unwrap_or_default())).map_err(|error| error.to_string())?;
        let whole = async {
            let response = self.0.request(request).await.map_err(|error| error.to_string())?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
            let body =
                if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) };
            Ok(Answer { status: parts.status, body })
        };
        tokio::time::timeout(PATIENCE, whole).await.map_err(|_| "no answer in time".to_owned())?
    }

    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.send(Method::GET, url, headers, None).await
    }
}

/// What the body of a 2xx answer promised, for the book checker.
pub fn told(id: &str, body: &Value) -> books::Answer {
    let reason = body["reason"].as_str().unwrap_or_default().to_owned();
    let answered = match (body["outcome"].as_str().unwrap_or_default(), body["distributed"].as_bool()) {
        ("pending", _) => Answered::Pending,
        ("rejected", _) => Answered::Rejected { reason },
        ("accepted", Some(true)) => Answered::Distributed {
            buyers: u32::try_from(body["buyersAssigned"].as_u64().unwrap_or_default()).unwrap(),
            price: body["price"].to_string().parse().unwrap(),
        },
        ("accepted", _) => Answered::Unsold,
        other => panic!("an answer that the contract does not know: {other:?}"),
    };
    books::Answer { lead_id: id.parse().unwrap(), answered }
}
