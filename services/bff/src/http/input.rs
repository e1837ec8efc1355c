//! Reading bodies, queries, ids and keys, with answers that name what is wrong.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query as AxumQuery, Request},
    http::{HeaderName, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use leadflow_kernel::{Id, Kind};
use leadflow_platform::{ApiError, http::read_body};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::error::Category;

use super::{
    Api,
    problem::{Problem, bad_query, unknown},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// The body, an object of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media != "application/json" || request.headers().contains_key(header::CONTENT_ENCODING) {
            let sentence = "the body must be JSON, with Content-Type: application/json, not compressed";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_unsupported", sentence));
        }
        let bytes = read(request, api.max_body_bytes, api.body_timeout).await?;
        parse(&bytes).map(Self)
    }
}

/// The whole body, within bounds.
pub(super) async fn read(request: Request, limit: usize, within: Duration) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    read_body(&parts.headers, body, limit, within).await
}

/// An object of JSON.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {error}")));
    }
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(not_valid("the body must be a JSON object", BTreeMap::new()));
    }
    // PostgreSQL stores no such character, and nobody means one.
    if bytes.windows(6).any(|six| six == br"\u0000") {
        return Err(not_valid("texts must not contain the character U+0000", BTreeMap::new()));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.classify() != Category::Data {
            return ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {inner}"));
        }
        let (path, problem) = explain(&path, &inner.to_string());
        not_valid("some fields are not valid", BTreeMap::from([(path, problem)]))
    })
}

fn not_valid(sentence: &str, fields: BTreeMap<String, String>) -> ApiError {
    ApiError::invalid("validation_failed", sentence, fields)
}

/// The path and the problem of a value that could not be read. The parser's own words end with a place in
/// the text, and name a missing field by its record.
fn explain(path: &str, message: &str) -> (String, String) {
    let message = message.split(" at line ").next().unwrap_or_default();
    let parent = if path == "." { "" } else { path };
    let within = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    let quoted = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    if let Some(name) = quoted("missing field `") {
        return (within(name), "is required".to_owned());
    }
    if let Some(name) = quoted("duplicate field `") {
        return (within(name), "is there more than once".to_owned());
    }
    let path = if parent.is_empty() { "body".to_owned() } else { parent.to_owned() };
    (path, message.to_owned())
}

/// The query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let read = AxumQuery::<T>::try_from_uri(&parts.uri);
        let AxumQuery(value) = read.map_err(|error| bad_query(error.body_text()))?;
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(bad_query("the query must not contain the character U+0000"));
        }
        Ok(Self(value))
    }
}

/// An id of some kind.
pub(super) trait AnyId: FromStr {
    /// What its record is called.
    fn what() -> &'static str;
}

impl<K: Kind> AnyId for Id<K> {
    fn what() -> &'static str {
        name_of(K::PREFIX)
    }
}

/// The id in the path. One that is no id is nobody's: 404.
pub(super) struct PathId<T>(pub(super) T);

impl<T: AnyId> FromRequestParts<Api> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, api).await;
        let id = text.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(|| unknown(T::what()))
    }
}

/// Two ids in the path, likewise.
pub(super) struct PathIds<A, B>(pub(super) A, pub(super) B);

impl<A: AnyId, B: AnyId> FromRequestParts<Api> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let texts = Path::<(String, String)>::from_request_parts(parts, api).await;
        let Ok(Path((first, second))) = texts else { return Err(unknown(A::what())) };
        let first = first.parse().map_err(|_| unknown(A::what()))?;
        let second = second.parse().map_err(|_| unknown(B::what()))?;
        Ok(Self(first, second))
    }
}

fn name_of(prefix: &'static str) -> &'static str {
    match prefix {
        "cat" => "category",
        "camp" => "campaign",
        "sub" => "subscription",
        "sess" => "session",
        "inv" => "invitation",
        "asg" => "assignment",
        "pay" => "payment",
        "ep" => "endpoint",
        "dlv" => "delivery",
        other => other,
    }
}

/// `Idempotency-Key`: makes the ids of what a request creates, so that its repeat creates the same.
#[derive(Debug, Clone)]
pub(super) struct Repeat(Option<String>);

impl Repeat {
    /// The same for the same user, purpose and key; new without a key.
    pub(super) fn id<K: Kind>(&self, user: &str, purpose: &str) -> Id<K> {
        self.0.as_deref().map_or_else(Id::new, |key| Id::derive(&[user.as_bytes(), purpose.as_bytes(), key.as_bytes()]))
    }
}

impl FromRequestParts<Api> for Repeat {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(&IDEMPOTENCY_KEY).iter();
        let Some(first) = values.next() else { return Ok(Self(None)) };
        let bytes = first.as_bytes();
        let visible = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(bytes) {
            Ok(text) if visible && values.next().is_none() => Ok(Self(Some(text.to_owned()))),
            _ => {
                let sentence = "Idempotency-Key must be there once, with 1 to 255 visible ASCII characters";
                Err(ApiError::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", sentence))
            }
        }
    }
}

/// Where a list begins and how long it is.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
pub(super) struct Page {
    /// Entries at most, 1 to 200; 100 when not given.
    #[schema(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
    /// `nextAfter` of the page before.
    pub(super) after: Option<String>,
}

/// The most entries of a list.
pub(super) const MAX_PAGE: u32 = 200;
const USUAL_PAGE: u32 = 100;

impl Page {
    /// The bounds, with the id to begin after.
    pub(super) fn bounds<T: FromStr>(&self) -> Result<(u32, String), Problem> {
        let limit = limit(self.limit, USUAL_PAGE)?;
        let after = self.after.clone().unwrap_or_default();
        if !after.is_empty() && after.parse::<T>().is_err() {
            return Err(bad_query("after must be nextAfter of the page before"));
        }
        Ok((limit, after))
    }
}

/// A list's length.
pub(super) fn limit(asked: Option<u32>, usual: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=MAX_PAGE).contains(&limit) { Ok(limit) } else { Err(bad_query(format!("limit must be 1 to {MAX_PAGE}"))) }
}

/// What a following page begins after: the last id, if the page is full.
pub(super) fn next_after<T>(entries: &[T], limit: u32, id: impl Fn(&T) -> &str) -> Option<String> {
    let full = u32::try_from(entries.len()).is_ok_and(|length| length >= limit);
    entries.last().filter(|_| full).map(|last| id(last).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::values::Dollars;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        #[expect(dead_code, reason = "only read")]
        company_name: String,
        #[expect(dead_code, reason = "only read")]
        price_per_lead: Option<Dollars>,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        fields: Vec<Inner>,
    }
    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        name: String,
    }

    fn refused(body: &str) -> ApiError {
        parse::<Sample>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_not_json_is_400_and_what_is_not_valid_is_422() {
        for body in ["", "{", "nonsense", "{} {}", "{\"companyName\": \"x\",}", "\u{feff}{}"] {
            assert_eq!((refused(body).status.as_u16(), refused(body).code), (400, "malformed_json"), "{body}");
        }
        for body in ["[]", "[\"x\"]", "null", "3", "\"text\"", "{}", "{\"companyName\": \"a\\u0000b\"}"] {
            assert_eq!(refused(body).status, 422, "{body}");
        }
    }

    #[test]
    fn a_problem_is_told_by_its_path() {
        for (body, path, problem) in [
            ("{}", "companyName", "is required"),
            (r#"{"companyName": 3}"#, "companyName", "invalid type"),
            (r#"{"companyName": "a", "companyName": "b"}"#, "companyName", "is there more than once"),
            (r#"{"companyName": "a", "pricePerLead": "25"}"#, "pricePerLead", "must be a decimal number"),
            (r#"{"companyName": "a", "pricePerLead": 1.005}"#, "pricePerLead", "at most two decimals"),
            (r#"{"companyName": "a", "fields": [{}]}"#, "fields[0].name", "is required"),
            (r#"{"companyName": "a", "fields": {}}"#, "fields", "invalid type"),
        ] {
            let error = refused(body);
            let told = error.fields.get(path).unwrap_or_else(|| panic!("{body}: {error:?}"));
            assert!(told.contains(problem) && !told.contains("line"), "{body}: {told}");
        }
    }
}
