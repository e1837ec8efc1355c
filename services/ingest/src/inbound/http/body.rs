//! Reading a body within bounds of size and time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use leadflow_platform::ApiError;

/// The whole body.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize, within: Duration) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    tokio::time::timeout(within, collect(body, limit)).await.unwrap_or_else(|_| {
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time"))
    })
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let incomplete =
        |_| ApiError::new(StatusCode::BAD_REQUEST, "body_incomplete", "the body could not be read to its end");
    let mut chunks = body.into_data_stream();
    // Most bodies are one chunk, which needs no copy.
    let Some(first) = chunks.next().await.transpose().map_err(incomplete)? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(too_large(limit));
    }
    let Some(second) = chunks.next().await.transpose().map_err(incomplete)? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if whole.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&chunk);
        next = chunks.next().await.transpose().map_err(incomplete)?;
    }
    Ok(whole.freeze())
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("the body must be at most {limit} bytes"))
}
