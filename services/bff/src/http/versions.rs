//! Versions of records: `ETag` tells them and `If-Match` asks for one. A record that is read, changed and put back whole is
//! put back only where nobody was faster; then it is read again.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use leadflow_platform::ApiError;
use serde::Serialize;

use super::{Api, problem::Problem};

/// A service's word for: the record is of another version.
const CHANGED_MEANWHILE: &str = "changed_meanwhile";
/// Somebody is faster at most once for each change that he makes, so this many wait for each other without a refusal.
const TRIES: u32 = 16;
/// Versions in one header.
const MAX_TAGS: usize = 20;

/// An answer about a record of this version.
pub(super) struct Versioned<T>(pub(super) u64, pub(super) T);

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// `If-Match`: which versions may be changed. `None`: any, because it is not there or is `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IfMatch(Option<Vec<u64>>);

impl IfMatch {
    /// Whether the version matters.
    pub(super) const fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// 412 for another version.
    pub(super) fn check(&self, version: u64) -> Result<(), Problem> {
        if self.0.as_ref().is_none_or(|versions| versions.contains(&version)) {
            return Ok(());
        }
        let sentence = "it was changed meanwhile, it is not of the version in If-Match: read it and try again";
        Err(Problem(ApiError::new(StatusCode::PRECONDITION_FAILED, CHANGED_MEANWHILE, sentence)))
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self(None));
        }
        let mut versions = Vec::new();
        for (at, tag) in text.split(',').map(str::trim).enumerate() {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
            if at >= MAX_TAGS || opaque.contains('"') {
                return None;
            }
            // Weak tags never match (RFC 9110), nor do those that are not ours.
            let canonical = opaque.parse().ok().filter(|version: &u64| version.to_string() == opaque);
            versions.extend(canonical.filter(|_| !tag.starts_with('W')));
        }
        Some(Self(Some(versions)))
    }
}

impl FromRequestParts<Api> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        let lines = parts.headers.get_all(header::IF_MATCH).iter().map(HeaderValue::to_str);
        let malformed = || {
            let sentence = "If-Match must be * or ETags as they were answered, such as \"3\", comma-separated";
            ApiError::new(StatusCode::BAD_REQUEST, "if_match_invalid", sentence)
        };
        let lines = lines.collect::<Result<Vec<_>, _>>().map_err(|_| malformed())?;
        if lines.is_empty() {
            return Ok(Self(None));
        }
        Self::parse(&lines.join(",")).ok_or_else(malformed)
    }
}

/// Reads a record, lets `put` put it back with its changes if it is still of that `version`, and begins again where somebody
/// was faster.
///
/// # Errors
/// 412 when it is not of a version in `If-Match`; else those of `read` and `put`.
pub(super) async fn put_back<K, T, R, P>(
    if_match: &IfMatch,
    read: impl Fn() -> R,
    version: impl Fn(&K) -> u64,
    put: impl Fn(K) -> P,
) -> Result<T, Problem>
where
    R: Future<Output = Result<K, Problem>>,
    P: Future<Output = Result<T, Problem>>,
{
    let mut tries = 1;
    loop {
        let known = read().await?;
        if_match.check(version(&known))?;
        match put(known).await {
            Err(refused) if is_changed(&refused) && tries < TRIES => tries += 1,
            outcome => return outcome,
        }
    }
}

fn is_changed(Problem(error): &Problem) -> bool {
    error.code == CHANGED_MEANWHILE
}

/// What `put` made anew; where there is one with this id already, which only a repeat of the request finds, that one as it is
/// by now.
///
/// # Errors
/// 409 when it was made of another request; else those of `put` and `read`.
pub(super) async fn made_once<T, R, P>(put: P, read: impl Fn() -> R, version: impl Fn(&T) -> u64) -> Result<T, Problem>
where
    R: Future<Output = Result<T, Problem>>,
    P: Future<Output = Result<T, Problem>>,
{
    match put.await {
        Err(refused) if is_changed(&refused) => {}
        outcome => return outcome,
    }
    let known = read().await?;
    if version(&known) == 1 {
        let sentence = "another request was made with this Idempotency-Key";
        return Err(Problem(ApiError::new(StatusCode::CONFLICT, "idempotency_key_reused", sentence)));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use super::*;

    #[test]
    fn strong_tags_of_ours_match_and_nothing_else_does() {
        let given = |versions: &[u64]| Some(IfMatch(Some(versions.to_vec())));
        for (text, wanted) in [
            ("*", Some(IfMatch(None))),
            ("\"3\"", given(&[3])),
            (" \"3\" , \"12\"", given(&[3, 12])),
            ("W/\"3\"", given(&[])),
            ("\"abc\", \"4\"", given(&[4])),
            ("\"03\"", given(&[])),
            ("\"99999999999999999999\"", given(&[])),
            ("\"\"", given(&[])),
            ("", None),
            ("3", None),
            ("\"3", None),
            ("\"3\",", None),
            ("\"3\" \"4\"", None),
        ] {
            assert_eq!(IfMatch::parse(text), wanted, "{text}");
        }
        assert_eq!(IfMatch::parse(&["\"1\""; MAX_TAGS + 1].join(",")), None);
        assert!(IfMatch(None).check(9).is_ok() && IfMatch(Some(vec![9])).check(9).is_ok());
        assert_eq!(IfMatch(Some(vec![])).check(9).unwrap_err().0.status, 412);
    }

    fn changed() -> Problem {
        Problem(ApiError::new(StatusCode::CONFLICT, CHANGED_MEANWHILE, "x"))
    }

    #[tokio::test]
    async fn whoever_is_overtaken_reads_again_and_gives_up_in_the_end() {
        let (version, overtaken) = (Cell::new(1), Cell::new(3));
        let read = || ready(Ok(version.get()));
        let put = |known: u64| {
            version.set(known + 1);
            overtaken.set(overtaken.get() - 1);
            ready(if overtaken.get() >= 0 { Err(changed()) } else { Ok(known) })
        };
        let any = IfMatch(None);
        assert_eq!(put_back(&any, read, |known| *known, put).await, Ok(4));
        overtaken.set(100);
        assert_eq!(put_back(&any, read, |known| *known, put).await.unwrap_err().0.status, 409);
        assert_eq!(overtaken.get(), 100 - i32::try_from(TRIES).unwrap());
        // Who asked for a version is not served another one.
        overtaken.set(1);
        let this = IfMatch(Some(vec![version.get()]));
        assert_eq!(put_back(&this, read, |known| *known, put).await.unwrap_err().0.status, 412);
    }

    #[tokio::test]
    async fn a_repeat_is_answered_with_what_is_there_and_another_request_is_refused() {
        let made = async |put: Result<u64, Problem>, known: u64| {
            made_once(ready(put), || ready(Ok(known)), |known| *known).await
        };
        assert_eq!(made(Ok(1), 0).await, Ok(1));
        assert_eq!(made(Err(changed()), 5).await, Ok(5));
        assert_eq!(made(Err(changed()), 1).await.unwrap_err().0.code, "idempotency_key_reused");
    }
}
