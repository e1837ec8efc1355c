//! A front end's HTTP client. Every answer of the API is held against its own OpenAPI document.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::contract::Contract;

/// Longer than any answer takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(45);

/// Keeps connections; clones share them.
#[derive(Clone)]
pub struct Client {
    pub http: Hyper<HttpConnector, Full<Bytes>>,
    pub base: String,
    /// Of the API: its document, from the first request on.
    contract: Option<Arc<OnceCell<Contract>>>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    /// The body, which is of a success.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }

    /// The error's code, which came with this status in the common form.
    #[track_caller]
    pub fn refused(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(self.body["error"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.text);
        assert!(self.body["requestId"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.text);
        self.body["code"].as_str().expect("a code").to_owned()
    }
}

impl Client {
    /// Of the API.
    pub fn new(base: &str) -> Self {
        Self { contract: Some(Arc::default()), ..Self::without_document(base) }
    }

    /// Of something else.
    pub fn without_document(base: &str) -> Self {
        Self { http: Hyper::builder(TokioExecutor::new()).build_http(), base: base.to_owned(), contract: None }
    }

    /// The document that is served here.
    pub async fn contract(&self) -> Option<&Contract> {
        let load = async || {
            let answer = self.exchange(Method::GET, "/api/openapi.json", &[], None).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            Contract::new(answer.body)
        };
        Some(self.contract.as_ref()?.get_or_init(load).await)
    }

    /// Sends with these headers.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Bytes>) -> Answer {
        let contract = self.contract().await;
        let answer = self.exchange(method.clone(), path, headers, body).await;
        // Asking what is allowed is no operation of the document.
        if let Some(contract) = contract.filter(|_| method != Method::OPTIONS) {
            let fault = contract.fault(&method, path, answer.status.as_u16(), &answer.headers, &answer.text);
            if let Err(fault) = fault {
                panic!("{method} {path} answered {} outside the document: {fault}\n{}", answer.status, answer.text);
            }
        }
        answer
    }

    async fn exchange(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Bytes>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.unwrap_or_default())).unwrap();
        let whole = async {
            let (parts, body) = self.http.request(request).await.unwrap().into_parts();
            // A stream has no end to wait for: its head is all there is to an answer.
            let endless = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
            let bytes = if endless { Bytes::new() } else { body.collect().await.unwrap().to_bytes() };
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let body = serde_json::from_str(&text).unwrap_or(Value::Null);
            Answer { status: parts.status, headers: parts.headers, text, body }
        };
        tokio::time::timeout(PATIENCE, whole).await.expect("an answer in time")
    }

    /// Sends as somebody (an empty token: as nobody).
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = Vec::new();
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.map(|body| Bytes::from(body.to_string()))).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, token, Some(body)).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, None).await
    }
}
