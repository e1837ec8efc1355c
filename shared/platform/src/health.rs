//! `/healthz`: the process lives. `/readyz`: it can do its work now.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::Shutdown;

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// How long one check may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(1);

/// The checks of one service. Built before the service runs, then cloned freely.
#[derive(Clone, Default)]
pub struct Health {
    service: &'static str,
    checks: Vec<(&'static str, Check)>,
}

impl Health {
    /// No checks yet.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        Self { service, checks: Vec::new() }
    }

    /// Adds a check: `Err` says in a few words what is missing.
    #[must_use]
    pub fn with<F, Fut>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// Adds a check of the database.
    #[must_use]
    pub fn with_database(self, pool: PgPool) -> Self {
        self.with("postgresql", move || {
            let pool = pool.clone();
            async move {
                sqlx::query("SELECT 1").execute(&pool).await.map(|_| ()).map_err(|_| "cannot be reached".to_owned())
            }
        })
    }

    /// Runs every check at once.
    pub async fn check(&self) -> (bool, Value) {
        let outcomes = futures::future::join_all(self.checks.iter().map(|(name, check)| async move {
            let outcome =
                tokio::time::timeout(PATIENCE, check()).await.unwrap_or_else(|_| Err("did not answer".into()));
            (*name, outcome)
        }))
        .await;
        let ready = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
        let checks: serde_json::Map<String, Value> = outcomes
            .into_iter()
            .map(|(name, outcome)| (name.to_owned(), Value::from(outcome.map_or_else(|why| why, |()| "ok".to_owned()))))
            .collect();
        (ready, json!({ "service": self.service, "ready": ready, "checks": checks }))
    }

    /// The two routes. Who [leaves](Shutdown::leaving) is not ready, so that nobody begins anything with it.
    pub fn router(self, shutdown: &Shutdown) -> Router {
        let leaving = shutdown.leaving().clone();
        let health = self.with("process", move || {
            let outcome = if leaving.is_cancelled() { Err("is stopping".to_owned()) } else { Ok(()) };
            async move { outcome }
        });
        Router::new()
            .route("/healthz", get(|| async { Json(json!({ "alive": true })) }))
            .route("/readyz", get(readyz))
            .with_state(health)
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let (ready, body) = health.check().await;
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}
