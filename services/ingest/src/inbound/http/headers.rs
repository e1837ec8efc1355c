//! What requests say in their headers.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use leadflow_messaging::trace;
use leadflow_platform::ApiError;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Keys made by accounts are far shorter.
const MAX_API_KEY_BYTES: usize = 256;
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// A header that may be there once. Of two values nobody can say which one counts.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h [u8]>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(axum::http::HeaderValue::as_bytes);
    if values.next().is_some() {
        let sentence = format!("the header {name} is there more than once");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "header_repeated", sentence));
    }
    Ok(first)
}

/// The caller's key.
pub(super) fn api_key(headers: &HeaderMap) -> Result<&[u8], ApiError> {
    let key = single(headers, &API_KEY)?.filter(|key| !key.is_empty()).ok_or_else(super::refusal::no_key)?;
    if key.len() > MAX_API_KEY_BYTES {
        return Err(super::refusal::bad_key());
    }
    Ok(key)
}

/// The key that makes a repeat safe: 1 to 255 visible ASCII characters.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(key) = single(headers, &IDEMPOTENCY_KEY)? else { return Ok(None) };
    let visible = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(key) {
        Ok(text) if visible => Ok(Some(text)),
        _ => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_invalid",
            "Idempotency-Key must be 1 to 255 visible ASCII characters",
        )),
    }
}

/// Whether the caller would rather not wait (RFC 7240). Unknown preferences are ignored, as it says.
pub(super) fn respond_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| {
        let name = preference.split([';', '=']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("respond-async")
    })
}

/// Bodies are JSON in UTF-8, not compressed.
pub(super) fn check_content(headers: &HeaderMap) -> Result<(), ApiError> {
    let unsupported =
        |sentence| ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_unsupported", sentence);
    let content_type = single(headers, &header::CONTENT_TYPE)?.and_then(|value| std::str::from_utf8(value).ok());
    if !content_type.is_some_and(is_json) {
        return Err(unsupported("the body must be JSON, with Content-Type: application/json"));
    }
    match single(headers, &header::CONTENT_ENCODING)? {
        None | Some(b"identity") => Ok(()),
        Some(_) => Err(unsupported("the body must not be compressed")),
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
    json && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

/// The caller's trace context, or a new one.
pub(super) fn traceparent(headers: &HeaderMap) -> String {
    headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .and_then(trace::valid)
        .map_or_else(trace::fresh, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn json_by_any_of_its_names() {
        for (value, ok) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/vnd.api+json", true),
            ("application/json; charset=latin1", false),
            ("text/json", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            assert_eq!(check_content(&with(header::CONTENT_TYPE, &[value])).is_ok(), ok, "{value}");
        }
    }

    #[test]
    fn respond_async_among_other_preferences() {
        for (values, wanted) in [
            (&["respond-async"][..], true),
            (&["return=minimal, Respond-Async; x=1"], true),
            (&["wait=10", "respond-async"], true),
            (&["respond-asynchronously"], false),
            (&["return=respond-async"], false),
            (&[], false),
        ] {
            assert_eq!(respond_async(&with(PREFER, values)), wanted, "{values:?}");
        }
    }

    #[test]
    fn keys_are_bounded_and_single() {
        let longest = "k".repeat(255);
        assert!(idempotency_key(&with(IDEMPOTENCY_KEY, &[&longest])).is_ok());
        for values in [&["k".repeat(256).as_str()][..], &[""], &["a b"], &["a", "a"]] {
            assert!(idempotency_key(&with(IDEMPOTENCY_KEY, values)).is_err(), "{values:?}");
        }
    }
}
