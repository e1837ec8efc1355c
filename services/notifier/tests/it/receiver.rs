//! A buyer's system.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
    routing::post,
};
use leadflow_testkit::wait;
use tokio::{net::TcpListener, sync::Notify};

use crate::world::PATIENCE;

/// How requests are answered.
#[derive(Clone)]
pub enum Manner {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    Hang,
    /// Answers 200 when it is let go.
    Hold(Arc<Notify>),
}

pub fn status(status: u16) -> Manner {
    Manner::Answer { status, headers: Vec::new(), body: b"noted".to_vec() }
}

#[derive(Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    shared: Arc<Mutex<(Manner, Vec<Got>)>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let this = Self { url, shared: Arc::new(Mutex::new((status(200), Vec::new()))) };
        let router = Router::new().route("/hook", post(receive)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    pub fn behave(&self, manner: Manner) {
        self.shared.lock().unwrap().0 = manner;
    }

    pub fn got(&self) -> Vec<Got> {
        self.shared.lock().unwrap().1.clone()
    }

    pub fn times_by_id(&self) -> HashMap<String, usize> {
        let mut times = HashMap::new();
        for got in self.got() {
            *times.entry(got.id()).or_default() += 1;
        }
        times
    }

    pub async fn wait_for(&self, count: usize) -> Vec<Got> {
        let what = format!("{count} requests");
        wait::until(what, PATIENCE, async || self.got().len() >= count).await;
        self.got()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let manner = {
        let mut shared = receiver.shared.lock().unwrap();
        shared.1.push(Got { headers, body });
        shared.0.clone()
    };
    match manner {
        Manner::Answer { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Manner::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Response::new(Body::empty())
        }
        Manner::Hold(notify) => {
            notify.notified().await;
            Response::new(Body::empty())
        }
    }
}
