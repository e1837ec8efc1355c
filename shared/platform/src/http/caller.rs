//! Where a request comes from.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that the outermost of our own proxies saw (each adds to `X-Forwarded-For`, and `trusted_proxies` is how many stand in
/// front); without proxies, who is connected. An IPv6 network counts as one address: whoever has one address of it has all.
#[must_use]
pub fn caller_address(headers: &HeaderMap, peer: Option<IpAddr>, trusted_proxies: usize) -> String {
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let told = match trusted_proxies {
        0 => None,
        count => hops.len().checked_sub(count).and_then(|at| hops[at].parse::<IpAddr>().ok()),
    };
    match told.or(peer).map(|address| address.to_canonical()) {
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        Some(IpAddr::V4(v4)) => v4.to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_proxies_are_believed() {
        let peer = Some("10.0.0.9".parse().unwrap());
        let with = |value: &str| HeaderMap::from_iter([(FORWARDED_FOR, value.parse().unwrap())]);
        for (header, proxies, wanted) in [
            ("1.1.1.1, 2.2.2.2", 0, "10.0.0.9"),
            ("1.1.1.1, 2.2.2.2", 1, "2.2.2.2"),
            ("1.1.1.1, 2.2.2.2", 2, "1.1.1.1"),
            ("1.1.1.1, 2.2.2.2", 3, "10.0.0.9"),
            ("nonsense", 1, "10.0.0.9"),
            ("2001:db8:1:2:3:4:5:6", 1, "2001:db8:1:2::"),
            ("::ffff:1.2.3.4", 1, "1.2.3.4"),
        ] {
            assert_eq!(caller_address(&with(header), peer, proxies), wanted, "{header} {proxies}");
        }
        assert_eq!(caller_address(&HeaderMap::new(), None, 0), "unknown");
    }
}
