//! Loopback ports.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    sync::{LazyLock, Mutex, PoisonError},
};

use rand::RngExt;

/// Below the range from which Linux takes the ports of outgoing connections, so that nobody gets
/// the port while a server is down between a kill and its restart.
const RANGE: std::ops::Range<u16> = 18_000..32_000;

/// Whether the port can be listened on right now.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Ports that this process gave out: whoever got one may not have bound it yet.
static GIVEN_OUT: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A loopback port that was free a moment ago and that this process has not given out before, or
/// `None` if there seems to be none.
#[must_use]
pub fn free_port() -> Option<u16> {
    let mut rng = rand::rng();
    let mut given_out = GIVEN_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    (0..2_000).map(|_| rng.random_range(RANGE)).find(|port| !given_out.contains(port) && is_free(*port)).inspect(
        |port| {
            given_out.insert(*port);
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_out_twice() {
        let ports: Vec<u16> = (0..500).map_while(|_| free_port()).collect();
        let different: HashSet<u16> = ports.iter().copied().collect();
        assert_eq!((ports.len(), different.len()), (500, 500));
    }
}
