//! Asking a service whether it is ready.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

const PATIENCE: Duration = Duration::from_secs(3);

/// What `/readyz` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can do its work.
    Ready,
    /// It runs, but something is missing: what, in its words.
    NotReady(String),
    /// Nothing answers.
    Silent,
}

/// Asks the service that serves HTTP on this port of this machine.
pub async fn readiness(port: u16) -> Readiness {
    readiness_at(IpAddr::from([127, 0, 0, 1]), port).await
}

/// Asks the service that serves HTTP there.
pub async fn readiness_at(address: IpAddr, port: u16) -> Readiness {
    let address = SocketAddr::from((address, port));
    tokio::time::timeout(PATIENCE, ask(address)).await.ok().flatten().unwrap_or(Readiness::Silent)
}

async fn ask(address: SocketAddr) -> Option<Readiness> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{address}/readyz")).body(Empty::new()).ok()?;
    let response = client.request(request).await.ok()?;
    if response.status().is_success() {
        return Some(Readiness::Ready);
    }
    let body = response.into_body().collect().await.ok()?.to_bytes();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let missing: Vec<_> = json["checks"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, outcome)| *outcome != "ok")
        .map(|(name, outcome)| format!("{name} {}", outcome.as_str().unwrap_or("is not well")))
        .collect();
    Some(Readiness::NotReady(if missing.is_empty() { "not ready".to_owned() } else { missing.join(", ") }))
}
