use std::time::Duration;

use crate::address::AddressRefusal;

/// Why a URL is not usable, as told to whoever entered it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Over 2,048 bytes.
    #[error("must be at most 2048 characters long")]
    TooLong,
    /// Not an absolute URL.
    #[error("must be a URL such as https://example.com/hook")]
    Malformed,
    /// Neither `http` nor `https`.
    #[error("must start with http:// or https://")]
    Scheme,
    /// A user name or password is in it.
    #[error("must not contain a user name or password")]
    Credentials,
    /// Port 0.
    #[error("must not use port 0")]
    Port,
    /// It names a host that only exists inside a network.
    #[error("must not name a host of a private network")]
    LocalName,
    /// It is, or resolves to nothing but, an address that is not called.
    #[error("must not point to {0}")]
    Address(#[from] AddressRefusal),
}

impl UrlError {
    /// Stable and in snake_case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "url_too_long",
            Self::Malformed => "url_malformed",
            Self::Scheme => "url_scheme",
            Self::Credentials => "url_credentials",
            Self::Port => "url_port",
            Self::LocalName | Self::Address(_) => "url_private_address",
        }
    }
}

/// The TLS set-up failed, which no request can mend.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client")]
pub struct BuildError(#[source] pub(crate) Box<dyn std::error::Error + Send + Sync>);

/// A request that got no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// The status line's code, when at least that arrived.
    pub status: Option<u16>,
    /// From start to failure.
    pub duration: Duration,
}

impl Failure {
    /// Whether the other side may have the request: all of it was on its way when something went wrong.
    #[must_use]
    pub const fn may_have_arrived(&self) -> bool {
        !matches!(self.kind, FailureKind::Refused(_) | FailureKind::Dns | FailureKind::Connect(_))
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailureKind {
    /// The URL, or a redirect's target, is refused.
    #[error("the address is refused: it {0}")]
    Refused(#[from] UrlError),
    /// The deadline ran out before the last byte.
    #[error("no complete answer in time")]
    TimedOut,
    /// The name does not resolve.
    #[error("the host's name does not resolve")]
    Dns,
    /// No connection, or no TLS session.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// A redirect that is not followed.
    #[error("the redirect was not followed: {0}")]
    Redirect(&'static str),
    /// The connection broke, or what came was not HTTP.
    #[error("the connection failed: {0}")]
    Transport(String),
}

impl FailureKind {
    /// Stable and in snake_case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "address_refused",
            Self::TimedOut => "timed_out",
            Self::Dns => "dns",
            Self::Connect(_) => "connect",
            Self::Redirect(_) => "redirect",
            Self::Transport(_) => "transport",
        }
    }
}
