//! A reader of the live feed.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;

use crate::{client::Client, world::PATIENCE};

/// An event as it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub name: String,
    pub id: String,
    pub data: Value,
}

/// An open stream.
pub struct Feed {
    client: Client,
    body: Incoming,
    text: String,
    /// Everything that was read, as it came.
    pub all: String,
}

impl Feed {
    /// Opens one as somebody, and waits for the greeting.
    pub async fn open(client: &Client, token: &str) -> Self {
        let mut feed = Self::begin(client, &[("authorization", &format!("Bearer {token}"))]).await.unwrap();
        assert_eq!(feed.next().await.unwrap().name, "ready");
        feed
    }

    /// Opens one with these headers; or else the status.
    pub async fn begin(client: &Client, headers: &[(&str, &str)]) -> Result<Self, StatusCode> {
        let mut request = Request::builder().method(Method::GET).uri(format!("{}/api/events", client.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = client.http.request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
        if answer.status() != StatusCode::OK {
            return Err(answer.status());
        }
        for (name, value) in
            [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
        {
            assert_eq!(answer.headers()[name], value);
        }
        Ok(Self { client: client.clone(), body: answer.into_body(), text: String::new(), all: String::new() })
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let told = read(block);
                self.text = rest.to_owned();
                if let Some(told) = told {
                    let contract = self.client.contract().await.unwrap();
                    contract.event(&told.data).unwrap_or_else(|fault| panic!("{told:?}: {fault}"));
                    return Some(told);
                }
            }
            if !self.more(PATIENCE).await {
                return None;
            }
        }
    }

    /// The next event of this name, and what came before it.
    pub async fn until(&mut self, name: &str) -> (Told, Vec<Told>) {
        let mut before = Vec::new();
        loop {
            let told = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}: {before:?}"));
            if told.name == name {
                return (told, before);
            }
            before.push(told);
        }
    }

    /// Waits for a comment, which shows that the connection stands.
    pub async fn heartbeat(&mut self) {
        while !self.all.contains("\n:\n\n") {
            assert!(self.more(PATIENCE).await, "the stream ended");
        }
    }

    /// Reads a piece; false at the end.
    async fn more(&mut self, patience: Duration) -> bool {
        let frame = tokio::time::timeout(patience, self.body.frame()).await;
        let Some(frame) = frame.expect("a sign of life in time") else { return false };
        let Ok(frame) = frame else { return false };
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        self.text.push_str(&text);
        self.all.push_str(&text);
        true
    }
}

fn read(block: &str) -> Option<Told> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    let (name, data) = (field("event:"), field("data:"));
    if name.is_empty() {
        return None;
    }
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["type"], name);
    Some(Told { name: name.to_owned(), id: field("id:").to_owned(), data })
}
