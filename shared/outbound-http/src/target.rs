//! What can be said about a URL without the network.

use url::{Host, Url};

use crate::{address::address_refusal, error::UrlError};

const MAX_URL_BYTES: usize = 2048;
/// Names that by convention exist only inside a network.
const LOCAL_SUFFIXES: [&str; 4] = ["local", "internal", "localdomain", "home.arpa"];

/// Parses and checks; literal addresses included, in every notation that the URL standard reads as
/// an address (`http://0x7f.1/`, `http://2130706433/`).
pub(crate) fn check(text: &str, allow_loopback: bool) -> Result<Url, UrlError> {
    if text.len() > MAX_URL_BYTES {
        return Err(UrlError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
    check_parsed(&url, allow_loopback)?;
    Ok(url)
}

pub(crate) fn check_parsed(url: &Url, allow_loopback: bool) -> Result<(), UrlError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    if url.port() == Some(0) {
        return Err(UrlError::Port);
    }
    if url.as_str().len() > MAX_URL_BYTES {
        return Err(UrlError::TooLong);
    }
    let refusal = match url.host().ok_or(UrlError::Malformed)? {
        Host::Ipv4(v4) => address_refusal(v4.into(), allow_loopback),
        Host::Ipv6(v6) => address_refusal(v6.into(), allow_loopback),
        Host::Domain(name) => return check_name(name, allow_loopback),
    };
    refusal.map_or(Ok(()), |r| Err(r.into()))
}

fn check_name(name: &str, allow_loopback: bool) -> Result<(), UrlError> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.is_empty() {
        return Err(UrlError::Malformed);
    }
    let under = |suffix: &str| name == suffix || name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    let local = LOCAL_SUFFIXES.into_iter().any(under) || (under("localhost") && !allow_loopback);
    if local { Err(UrlError::LocalName) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressRefusal;

    #[test]
    fn each_refusal_has_its_reason() {
        let long = format!("https://example.com/{}", "a".repeat(2048));
        let table = [
            ("", UrlError::Malformed),
            ("example.com/hook", UrlError::Malformed),
            ("http://", UrlError::Malformed),
            ("http://exa mple.com/", UrlError::Malformed),
            (long.as_str(), UrlError::TooLong),
            ("ftp://example.com/", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("gopher://example.com:70/_x", UrlError::Scheme),
            ("javascript:alert(1)", UrlError::Scheme),
            ("https://user@example.com/", UrlError::Credentials),
            ("https://:secret@example.com/", UrlError::Credentials),
            ("http://169.254.169.254@example.com/", UrlError::Credentials),
            ("http://example.com:0/", UrlError::Port),
            ("http://localhost/", UrlError::LocalName),
            ("http://LOCALHOST./", UrlError::LocalName),
            ("http://a.localhost/", UrlError::LocalName),
            ("http://metadata.google.internal/", UrlError::LocalName),
            ("http://printer.local/", UrlError::LocalName),
            ("http://127.0.0.1/", AddressRefusal::Loopback.into()),
            ("http://127.1/", AddressRefusal::Loopback.into()),
            ("http://0x7f.1/", AddressRefusal::Loopback.into()),
            ("http://2130706433/", AddressRefusal::Loopback.into()),
            ("http://0177.0.0.1/", AddressRefusal::Loopback.into()),
            ("http://1\u{ff12}7.0.0.1/", AddressRefusal::Loopback.into()),
            ("http://10.1.2.3:8080/", AddressRefusal::Private.into()),
            ("http://169.254.169.254/latest/", AddressRefusal::LinkLocal.into()),
            ("http://0/", AddressRefusal::Unspecified.into()),
            ("http://[::1]/", AddressRefusal::Loopback.into()),
            ("http://[::ffff:127.0.0.1]/", AddressRefusal::Embedded.into()),
            ("http://[::ffff:7f00:1]/", AddressRefusal::Embedded.into()),
            ("http://[64:ff9b::7f00:1]/", AddressRefusal::Embedded.into()),
            ("http://[fd00::1]/", AddressRefusal::Private.into()),
            ("http://[fe80::1]/", AddressRefusal::LinkLocal.into()),
        ];
        for (text, expected) in table {
            assert_eq!(check(text, false).map(String::from), Err(expected), "{text}");
        }
    }

    #[test]
    fn public_targets_pass() {
        for text in [
            "https://example.com/hook?a=b",
            "http://hooks.example.com:8080/x",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://mylocal.example/",
            "https://notlocalhost.com/",
        ] {
            assert!(check(text, false).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_option_admits_loopback_and_nothing_more() {
        for text in ["http://127.0.0.1:9000/", "http://[::1]/", "http://localhost:1/"] {
            assert!(check(text, true).is_ok(), "{text}");
        }
        for text in ["http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://x.internal/"] {
            assert!(check(text, true).is_err(), "{text}");
        }
    }
}
