//! The buyers' end of the webhooks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

type Arrived = Arc<Mutex<HashMap<String, Vec<Bytes>>>>;

/// Takes everything, and remembers each body by its webhook's id.
pub struct Receiver {
    base: String,
    arrived: Arrived,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (base, arrived) = (format!("http://{}", listener.local_addr().unwrap()), Arrived::default());
        let app = Router::new().route("/{buyer}", post(take)).with_state(arrived.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, arrived, _serving: AbortOnDropHandle::new(serving) }
    }

    pub fn url(&self, buyer: &str) -> String {
        format!("{}/{buyer}", self.base)
    }

    /// What arrived, by webhook's id. One that came more than once was the same each time.
    pub fn bodies(&self) -> HashMap<String, Value> {
        let arrived = self.arrived.lock().unwrap();
        let bodies = arrived.iter().map(|(id, bodies)| {
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{id} came with two bodies");
            (id.clone(), serde_json::from_slice(&bodies[0]).unwrap())
        });
        bodies.collect()
    }
}

async fn take(State(arrived): State<Arrived>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) else { return StatusCode::BAD_REQUEST };
    arrived.lock().unwrap().entry(id.to_owned()).or_default().push(body);
    StatusCode::OK
}
