use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use leadflow_platform::ApiError;

use crate::{
    Sandbox,
    hooks::{Arrival, Reaction},
};

pub(super) async fn receive(
    State(sandbox): State<Sandbox>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let arrival = Arrival {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        plain_signature: header("x-webhook-signature"),
        traceparent: header("traceparent"),
        body: &body,
        at: sandbox.clock.now(),
    };
    let reaction = sandbox.hooks().receive(&name, &arrival)?;
    let Reaction::Answer { status, after, retry_after } = reaction else {
        sandbox.shutdown.cancelled().await;
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    };
    if !after.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = sandbox.shutdown.cancelled() => {}
        }
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, if status.is_success() { "received" } else { "told to fail" }).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}
