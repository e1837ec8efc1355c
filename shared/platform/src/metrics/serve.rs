//! `/metrics` on a port of its own: the ports that the public reaches never show it.

use std::net::IpAddr;

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::Shutdown;

/// Binds the port of `METRICS_PORT`.
///
/// # Errors
/// When it cannot be had; says which setting to change.
pub async fn bind(address: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((address, port)).await.with_context(|| {
        format!("metrics cannot be served on {address}:{port}; free the port or set METRICS_PORT to another")
    })
}

/// Serves what `registry` has until `shutdown`.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, registry: Registry, shutdown: Shutdown) -> std::io::Result<()> {
    let router = Router::new().route("/metrics", get(show)).with_state(registry);
    crate::http::serve(listener, router, shutdown).await
}

async fn show(State(registry): State<Registry>) -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
