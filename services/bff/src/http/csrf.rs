//! Requests that another site's page makes in its visitor's name.

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use leadflow_platform::ApiError;
use url::Url;

use super::session::Shown;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request may change something. One with a bearer token may: browsers do not add that by
/// themselves. Any other must come from one of `origins` or from the very host that it is sent to, as the
/// browser says; with a cookie it must say so.
///
/// # Errors
/// 403.
pub fn check(method: &Method, headers: &HeaderMap, shown: &Shown, origins: &[String]) -> Result<(), ApiError> {
    if method.is_safe() || matches!(shown, Shown::Bearer(_)) {
        return Ok(());
    }
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(&header::ORIGIN), text(&SEC_FETCH_SITE)) {
        (Some(origin), _) if origins.iter().any(|known| known == origin) => Ok(()),
        (Some(origin), None | Some("same-origin")) if is_of_host(origin, text(&header::HOST)) => Ok(()),
        (None, Some("same-origin" | "none")) => Ok(()),
        (None, None) if *shown == Shown::Nothing => Ok(()),
        (None, None) => Err(refused("with a session cookie, send Origin; or send the token as Authorization: Bearer")),
        _ => Err(refused("this origin may not send requests here (setting BFF_CORS_ORIGINS)")),
    }
}

fn is_of_host(origin: &str, host: Option<&str>) -> bool {
    let (Ok(origin), Some(host)) = (Url::parse(origin), host) else { return false };
    // The scheme is the origin's own: behind a proxy, ours is another.
    let sent_to = Url::parse(&format!("{}://{host}/", origin.scheme()));
    sent_to.is_ok_and(|sent_to| matches!(origin.scheme(), "http" | "https") && sent_to.origin() == origin.origin())
}

fn refused(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "cross_site_request", sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: &Method, shown: &Shown, pairs: &[(&'static str, &str)]) -> bool {
        let headers =
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        check(method, &headers, shown, &["https://app.example.com".to_owned()]).is_ok()
    }

    #[test]
    fn a_cookie_changes_things_only_from_pages_that_may() {
        let cookie = Shown::Cookie("t".to_owned());
        for (pairs, wanted) in [
            (&[("origin", "https://app.example.com")][..], true),
            (&[("origin", "https://app.example.com"), ("sec-fetch-site", "cross-site")], true),
            (&[("origin", "http://localhost:3000"), ("host", "localhost:3000")], true),
            (&[("origin", "https://localhost"), ("host", "localhost"), ("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://evil.example"), ("host", "app.example.com")], false),
            (&[("origin", "http://localhost:3001"), ("host", "localhost:3000")], false),
            (&[("origin", "https://app.example.com.evil.example"), ("host", "app.example.com")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
        ] {
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                assert_eq!(allowed(&method, &cookie, pairs), wanted, "{pairs:?}");
            }
            assert!(allowed(&Method::GET, &cookie, pairs));
            assert!(allowed(&Method::POST, &Shown::Bearer("t".to_owned()), pairs));
        }
    }

    #[test]
    fn signing_somebody_in_from_another_site_is_refused_too() {
        assert!(allowed(&Method::POST, &Shown::Nothing, &[]), "not a browser");
        assert!(!allowed(&Method::POST, &Shown::Nothing, &[("origin", "https://evil.example")]));
        assert!(!allowed(&Method::POST, &Shown::Nothing, &[("sec-fetch-site", "cross-site")]));
    }
}
