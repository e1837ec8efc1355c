//! `RateLimit-*` headers: what a caller has left, so that it can slow down before it is refused.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What is left of a limit after this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitState {
    /// Requests in a window.
    pub limit: u32,
    /// Requests that would be let through now.
    pub remaining: u32,
    /// Seconds until all of the limit is there again; for a refused request, until one is let through.
    pub reset_seconds: u64,
}

impl RateLimitState {
    /// Of two limits that both hold, the one that is reached first.
    #[must_use]
    pub const fn tighter(self, other: Self) -> Self {
        if other.remaining < self.remaining { other } else { self }
    }

    /// Writes the headers of an answer.
    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset_seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_two_limits_is_told() {
        let supplier = RateLimitState { limit: 500, remaining: 40, reset_seconds: 1 };
        let seller = RateLimitState { limit: 2_000, remaining: 7, reset_seconds: 1 };
        let mut headers = HeaderMap::new();
        supplier.tighter(seller).write(&mut headers);
        assert_eq!(seller.tighter(supplier), seller);
        let read = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(read("RateLimit-Limit"), Some("2000"));
        assert_eq!(read("RateLimit-Remaining"), Some("7"));
        assert_eq!(read("RateLimit-Reset"), Some("1"));
    }
}
