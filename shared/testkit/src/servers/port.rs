//! Loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt;

/// Below the range from which Linux takes the ports of outgoing connections, so that nobody gets
/// the port while a server is down between a kill and its restart.
const RANGE: std::ops::Range<u16> = 18_000..32_000;

/// Whether the port can be listened on right now.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A loopback port that was free a moment ago, or `None` if there seems to be none.
#[must_use]
pub fn free_port() -> Option<u16> {
    let mut rng = rand::rng();
    (0..200).map(|_| rng.random_range(RANGE)).find(|port| is_free(*port))
}
