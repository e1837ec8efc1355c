//! The resolver of the connection itself: what it lets through is what is connected to.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{
    address::{AddressRefusal, address_refusal},
    error::UrlError,
};

/// Looks a name up.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `name`.
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver (`getaddrinfo`).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Keeps the public addresses of an answer.
///
/// # Errors
/// The first refusal, when there is none to keep.
pub(crate) fn keep_public(found: Vec<IpAddr>, allow_loopback: bool) -> Result<Vec<IpAddr>, AddressRefusal> {
    let mut refused = None;
    let kept: Vec<_> = found
        .into_iter()
        .filter(|address| match address_refusal(*address, allow_loopback) {
            None => true,
            Some(reason) => {
                refused.get_or_insert(reason);
                false
            }
        })
        .collect();
    match refused {
        Some(reason) if kept.is_empty() => Err(reason),
        _ => Ok(kept),
    }
}

pub(crate) struct GuardedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) allow_loopback: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let looking = self.lookup.lookup(name.as_str());
        let allow_loopback = self.allow_loopback;
        Box::pin(async move {
            let kept = keep_public(looking.await?, allow_loopback).map_err(UrlError::from)?;
            let addresses: Addrs = Box::new(kept.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_answer_keeps_only_its_public_part() {
        let found: Vec<IpAddr> = ["10.0.0.1", "8.8.8.8", "::1"].iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(keep_public(found.clone(), false), Ok(vec![found[1]]));
        assert_eq!(keep_public(found[..1].to_vec(), true), Err(AddressRefusal::Private));
        assert_eq!(keep_public(Vec::new(), false), Ok(Vec::new()));
    }
}
