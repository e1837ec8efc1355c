//! Whether and where to follow a redirect.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::{error::FailureKind, target};

/// The next hop: `None` when the answer is no redirect (304 and other bodiless 3xx included).
pub(crate) fn next_hop(
    current: &Url,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    allow_loopback: bool,
) -> Result<Option<Url>, FailureKind> {
    let keeps_method = matches!(status.as_u16(), 307 | 308);
    if !keeps_method && !matches!(status.as_u16(), 301..=303) {
        return Ok(None);
    }
    if !keeps_method && !matches!(*method, Method::GET | Method::HEAD) {
        return Err(FailureKind::Redirect("only 307 and 308 keep the request"));
    }
    let location = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(FailureKind::Redirect("it has no usable Location"))?;
    let next = current.join(location).map_err(|_| FailureKind::Redirect("it has no usable Location"))?;
    target::check_parsed(&next, allow_loopback)?;
    if current.scheme() == "https" && next.scheme() == "http" {
        return Err(FailureKind::Redirect("it leads from https to http"));
    }
    Ok(Some(next))
}

/// Drops what proves who we are to the first origin, and whatever the caller marked as sensitive, before another one is asked.
pub(crate) fn keep_credentials_home(headers: &mut HeaderMap, from: &Url, to: &Url) {
    if from.origin() != to.origin() {
        let sensitive =
            |name: &HeaderName, headers: &HeaderMap| headers.get_all(name).iter().any(HeaderValue::is_sensitive);
        let names: Vec<HeaderName> = headers.keys().filter(|name| sensitive(name, headers)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
        for name in [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE] {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(from: &str, method: Method, status: u16, location: Option<&str>) -> Result<Option<String>, FailureKind> {
        let mut headers = HeaderMap::new();
        if let Some(location) = location {
            headers.insert(header::LOCATION, location.parse().unwrap());
        }
        next_hop(&from.parse().unwrap(), &method, StatusCode::from_u16(status).unwrap(), &headers, false)
            .map(|url| url.map(String::from))
    }

    #[test]
    fn a_body_goes_on_only_with_307_and_308() {
        for status in [307, 308] {
            assert_eq!(
                hop("https://a.com/x", Method::POST, status, Some("/y")),
                Ok(Some("https://a.com/y".to_owned()))
            );
        }
        for status in [301, 302, 303] {
            assert!(matches!(hop("https://a.com/x", Method::POST, status, Some("/y")), Err(FailureKind::Redirect(_))));
            assert_eq!(
                hop("https://a.com/x", Method::GET, status, Some("https://b.com/")),
                Ok(Some("https://b.com/".to_owned()))
            );
        }
        for status in [200, 304, 404] {
            assert_eq!(hop("https://a.com/x", Method::POST, status, Some("/y")), Ok(None));
        }
    }

    #[test]
    fn https_never_falls_back_to_http() {
        assert_eq!(
            hop("https://a.com/", Method::POST, 308, Some("http://a.com/")),
            Err(FailureKind::Redirect("it leads from https to http"))
        );
        assert!(hop("http://a.com/", Method::POST, 308, Some("https://a.com/")).is_ok());
    }

    #[test]
    fn every_target_is_checked() {
        for location in [
            "http://127.0.0.1/",
            "//10.0.0.1/",
            "http://[::ffff:169.254.169.254]/",
            "file:///etc/passwd",
            "http://u:p@a.com/",
            "http://localhost/",
        ] {
            assert!(
                matches!(hop("http://a.com/", Method::POST, 307, Some(location)), Err(FailureKind::Refused(_))),
                "{location}"
            );
        }
        assert!(matches!(hop("http://a.com/", Method::POST, 307, None), Err(FailureKind::Redirect(_))));
    }

    #[test]
    fn credentials_do_not_travel_to_another_origin() {
        let headers = || {
            let mut key = HeaderValue::from_static("secret");
            key.set_sensitive(true);
            HeaderMap::from_iter([
                (header::AUTHORIZATION, "Bearer x".parse().unwrap()),
                (HeaderName::from_static("x-api-key"), key),
                (header::CONTENT_TYPE, "text/plain".parse().unwrap()),
            ])
        };
        let url = |text: &str| text.parse::<Url>().unwrap();
        let mut same = headers();
        keep_credentials_home(&mut same, &url("https://a.com/x"), &url("https://a.com/y"));
        assert_eq!(same.len(), 3);
        let mut other = headers();
        keep_credentials_home(&mut other, &url("https://a.com/"), &url("https://a.com:444/"));
        assert_eq!(other.len(), 1);
    }
}
