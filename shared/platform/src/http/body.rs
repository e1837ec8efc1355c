//! Reading a body within bounds of size and time.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::ApiError;

/// How much more of a body that is too large is read, and for how long.
const THROWN_AWAY: usize = 8 << 20;
const THROWN_AWAY_WITHIN: Duration = Duration::from_secs(2);

/// The whole body, at most `limit` bytes, if it arrives `within` this time.
///
/// # Errors
/// 413 `body_too_large`, 408 `body_timeout`, or 400 `body_incomplete`.
pub async fn read_body(headers: &HeaderMap, mut body: Body, limit: usize, within: Duration) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        // Who asks first has not begun to send, and does not when he is refused.
        if !headers.contains_key(header::EXPECT) {
            throw_away(body).await;
        }
        return Err(too_large(limit));
    }
    match tokio::time::timeout(within, Limited::new(&mut body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            throw_away(body).await;
            Err(too_large(limit))
        }
        Ok(Err(_)) => {
            let sentence = "the body could not be read to its end";
            Err(ApiError::new(StatusCode::BAD_REQUEST, "body_incomplete", sentence))
        }
        Err(_) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time")),
    }
}

/// Reads on for a while: a connection that is closed while its caller still sends is reset, and the caller may never see the answer.
async fn throw_away(mut body: Body) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > THROWN_AWAY {
                break;
            }
        }
    };
    // Who sends for longer has been waited for.
    let _ = tokio::time::timeout(THROWN_AWAY_WITHIN, reading).await;
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("the body must be at most {limit} bytes"))
}
