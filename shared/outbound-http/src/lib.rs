//! Requests to addresses that somebody else chose.
//!
//! A customer's webhook URL is hostile until proven otherwise: it may name our own network, answer
//! never, drip one byte a second, send for ever, or redirect to all of that. [`Client`] bounds each:
//!
//! - **Where**: `http` and `https` only, no user name in the URL, and only public addresses (see
//!   [`address_refusal`]). Literal addresses are checked when the URL is; names are checked in the
//!   resolver that the connection itself uses, so what was checked is what is connected to and a
//!   second DNS answer changes nothing. Proxies from the environment are not used.
//! - **How long**: one deadline from the first packet to the last byte, redirects included.
//! - **How much**: at most [`Options::body_cap`] bytes of an answer are read; then reading stops and
//!   the connection is closed. At most 100 headers.
//! - **Redirects**: at most [`Options::max_redirects`], each target checked like the first; a body is
//!   sent again only for 307 and 308; never from `https` to `http`; credentials, and headers whose value is
//!   marked as sensitive, stay with their origin.
//!
//! This is the only crate that knows reqwest.

mod address;
mod client;
mod error;
mod measure;
mod options;
mod redirect;
mod resolve;
mod target;

pub use address::{AddressRefusal, address_refusal};
pub use client::{Answer, Client};
pub use error::{BuildError, Failure, FailureKind, UrlError};
pub use options::Options;
pub use resolve::{Lookup, SystemLookup};
