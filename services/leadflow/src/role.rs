//! The roles of `leadflow serve`, and where each one listens.

use std::{fmt, net::IpAddr, str::FromStr};

use leadflow_platform::Env;

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sellers, buyers, suppliers, keys.
    Accounts,
}

/// One of a role's ports.
#[derive(Debug, Clone, Copy)]
pub struct PortSetting {
    /// The environment variable.
    pub name: &'static str,
    /// The port when it is not set.
    pub default: u16,
    /// What is there.
    pub help: &'static str,
}

impl Role {
    /// All, in the order of starting: who is asked comes before who asks.
    pub const ALL: &'static [Self] = &[Self::Accounts];

    /// Settings that name where a role's gRPC is, for those who call it.
    pub const ADDRESSES: &'static [(&'static str, Self)] = &[];

    /// What `up` sets on a machine of one's own unless the caller set it.
    pub const LOCAL_DEFAULTS: &'static [(&'static str, &'static str)] = &[];

    /// Secrets that `up` makes up unless the caller set them.
    pub const SECRETS: &'static [&'static str] = &["SERVICE_TOKEN"];

    /// As on the command line, in logs and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
        }
    }

    /// For people, in two or three words.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Accounts => "tenants and keys",
        }
    }

    /// The path worth opening.
    #[must_use]
    pub const fn page(self) -> &'static str {
        match self {
            Self::Accounts => "/readyz",
        }
    }

    /// Where it serves HTTP: its own API if it has one, and `/healthz` and `/readyz`.
    #[must_use]
    pub const fn http(self) -> PortSetting {
        match self {
            Self::Accounts => PortSetting {
                name: "ACCOUNTS_HTTP_PORT",
                default: 8101,
                help: "port of accounts' /healthz and /readyz",
            },
        }
    }

    /// Where it serves gRPC, if it does.
    #[must_use]
    pub const fn grpc(self) -> Option<PortSetting> {
        match self {
            Self::Accounts => {
                Some(PortSetting { name: "ACCOUNTS_GRPC_PORT", default: 9101, help: "port of accounts' gRPC commands" })
            }
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|role| role.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|role| role.name()).collect();
            format!("not a role; the roles are {}, or \"all\"", names.join(", "))
        })
    }
}

/// Where a role listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// HTTP.
    pub http: u16,
    /// gRPC.
    pub grpc: Option<u16>,
}

impl Ports {
    /// Reads a role's ports.
    pub fn read(env: &mut Env, role: Role) -> Self {
        let mut port = |setting: PortSetting| env.or(setting.name, setting.default, setting.help);
        Self { http: port(role.http()), grpc: role.grpc().map(port) }
    }
}

/// The address that services listen on.
pub fn listen_address(env: &mut Env) -> IpAddr {
    env.or("LISTEN_ADDRESS", IpAddr::from([127, 0, 0, 1]), "IP address that services listen on; 0.0.0.0 in a container")
}
