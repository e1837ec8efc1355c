use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::resolve::{Lookup, SystemLookup};

/// The bounds of a [`crate::Client`].
#[derive(Clone)]
pub struct Options {
    /// From the start of a request to the last byte of its answer, redirects included. 30 s.
    pub total_timeout: Duration,
    /// For resolving a name and connecting, TLS included. 10 s.
    pub connect_timeout: Duration,
    /// Bytes of an answer's body that are read and kept. 16 KiB.
    pub body_cap: usize,
    /// Redirects followed. 3.
    pub max_redirects: u32,
    /// Lets 127.0.0.0/8, ::1 and `localhost` pass: for development and tests. Off.
    pub allow_loopback: bool,
    /// Idle connections kept to one host, for at most 30 s. 8.
    pub idle_per_host: usize,
    /// What the requests are for, in a word: how they are told apart in what is measured.
    pub purpose: &'static str,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Where names are looked up; the system's resolver.
    pub lookup: Arc<dyn Lookup>,
    /// Certificates (DER) of the only authorities that are trusted, for tests; `None`: those that this machine trusts.
    pub authorities: Option<Vec<Bytes>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            total_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            body_cap: 16 * 1024,
            max_redirects: 3,
            allow_loopback: false,
            idle_per_host: 8,
            purpose: "other",
            user_agent: concat!("LeadFlow/", env!("CARGO_PKG_VERSION")).to_owned(),
            lookup: Arc::new(SystemLookup),
            authorities: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("total_timeout", &self.total_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("body_cap", &self.body_cap)
            .field("max_redirects", &self.max_redirects)
            .field("allow_loopback", &self.allow_loopback)
            .finish_non_exhaustive()
    }
}
