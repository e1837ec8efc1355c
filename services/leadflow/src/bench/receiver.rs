//! The buyers' end of the webhooks: takes everything, remembers when it came, and answers at once or
//! when it is told to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use tokio::{net::TcpListener, sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::load;

type Arrivals = Arc<Mutex<HashMap<u64, Instant>>>;

#[derive(Clone)]
struct Shared {
    arrivals: Arrivals,
    answering: watch::Receiver<bool>,
}

/// A webhook receiver in this process.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    arrivals: Arrivals,
    answering: watch::Sender<bool>,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, arrivals) = (listener.local_addr()?, Arrivals::default());
        let (answering, told) = watch::channel(true);
        let shared = Shared { arrivals: Arc::clone(&arrivals), answering: told };
        let app = Router::new().route("/{buyer}", post(arrived)).with_state(shared);
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the webhook receiver ended");
            }
        });
        Ok(Self { address, arrivals, answering, _serving: AbortOnDropHandle::new(serving) })
    }

    /// When the lead of this number arrived first.
    pub fn arrival(&self, number: u64) -> Option<Instant> {
        self.lock().get(&number).copied()
    }

    /// Forgets what arrived so far.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Takes requests and answers none until [`Receiver::release`].
    pub fn hang(&self) {
        self.answering.send_replace(false);
    }

    /// Answers what hangs, and from now on at once.
    pub fn release(&self) {
        self.answering.send_replace(true);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Instant>> {
        self.arrivals.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn arrived(State(mut shared): State<Shared>, body: Bytes) -> StatusCode {
    if let Some(number) = load::number_in(&body) {
        let mut arrivals = shared.arrivals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        arrivals.entry(number).or_insert_with(Instant::now);
    }
    // It fails only when the bench is over.
    match shared.answering.wait_for(|answering| *answering).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
