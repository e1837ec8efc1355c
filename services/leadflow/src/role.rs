//! The roles of `leadflow serve`, and where each one listens.

use std::{fmt, net::IpAddr, str::FromStr};

use leadflow_platform::Env;

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sellers, buyers, suppliers, keys.
    Accounts,
    /// Wallets, holds, the ledger.
    Billing,
    /// Campaigns, and who gets each lead.
    Distribution,
    /// Webhooks to buyers.
    Notifier,
    /// The gateway of suppliers.
    Ingest,
    /// The API of front ends.
    Bff,
    /// Stand-ins for what is outside; not in production.
    Sandbox,
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

/// What is known of a role before it runs.
struct Facts {
    name: &'static str,
    purpose: &'static str,
    page: &'static str,
    http: PortSetting,
    grpc: Option<PortSetting>,
    smtp: Option<PortSetting>,
}

const ACCOUNTS: Facts = Facts {
    name: "accounts",
    purpose: "tenants and keys",
    page: "/readyz",
    http: PortSetting { name: "ACCOUNTS_HTTP_PORT", default: 8101, help: "port of accounts' /healthz and /readyz" },
    grpc: Some(PortSetting { name: "ACCOUNTS_GRPC_PORT", default: 9101, help: "port of accounts' gRPC" }),
    smtp: None,
};
const BILLING: Facts = Facts {
    name: "billing",
    purpose: "wallets and ledger",
    page: "/readyz",
    http: PortSetting { name: "BILLING_HTTP_PORT", default: 8102, help: "port of billing's /healthz and /readyz" },
    grpc: Some(PortSetting { name: "BILLING_GRPC_PORT", default: 9102, help: "port of billing's gRPC" }),
    smtp: None,
};
const DISTRIBUTION: Facts = Facts {
    name: "distribution",
    purpose: "who gets each lead",
    page: "/readyz",
    http: PortSetting {
        name: "DISTRIBUTION_HTTP_PORT",
        default: 8103,
        help: "port of distribution's /healthz and /readyz",
    },
    grpc: Some(PortSetting { name: "DISTRIBUTION_GRPC_PORT", default: 9103, help: "port of distribution's gRPC" }),
    smtp: None,
};
const NOTIFIER: Facts = Facts {
    name: "notifier",
    purpose: "webhooks to buyers",
    page: "/readyz",
    http: PortSetting { name: "NOTIFIER_HTTP_PORT", default: 8104, help: "port of notifier's /healthz and /readyz" },
    grpc: Some(PortSetting { name: "NOTIFIER_GRPC_PORT", default: 9104, help: "port of notifier's gRPC" }),
    smtp: None,
};
const INGEST: Facts = Facts {
    name: "ingest",
    purpose: "leads come in here",
    page: "/api/leads/ingest",
    http: PortSetting { name: "INGEST_HTTP_PORT", default: 8080, help: "port that suppliers post to" },
    grpc: None,
    smtp: None,
};
const BFF: Facts = Facts {
    name: "bff",
    purpose: "API of front ends",
    page: "/api/docs",
    http: PortSetting { name: "BFF_HTTP_PORT", default: 3000, help: "port of the API of front ends" },
    grpc: None,
    smtp: None,
};
const SANDBOX: Facts = Facts {
    name: "sandbox",
    purpose: "webhooks, mails and text messages that arrived; stands in for Google and Stripe",
    page: "/",
    http: PortSetting { name: "SANDBOX_HTTP_PORT", default: 8090, help: "port of the sandbox's page and receivers" },
    grpc: None,
    smtp: Some(PortSetting { name: "SANDBOX_SMTP_PORT", default: 8025, help: "port that the sandbox takes mails on" }),
};

impl Role {
    /// All, in the order of starting: who is asked comes before who asks.
    pub const ALL: &'static [Self] =
        &[Self::Accounts, Self::Billing, Self::Distribution, Self::Notifier, Self::Ingest, Self::Bff, Self::Sandbox];

    /// Settings that name where a role's gRPC is, for those who call it.
    pub const ADDRESSES: &'static [(&'static str, Self)] = &[
        ("ACCOUNTS_GRPC_URL", Self::Accounts),
        ("BILLING_GRPC_URL", Self::Billing),
        ("DISTRIBUTION_GRPC_URL", Self::Distribution),
        ("NOTIFIER_GRPC_URL", Self::Notifier),
    ];

    /// Settings that name where a role's HTTP is, for those who call it.
    pub const HTTP_ADDRESSES: &'static [(&'static str, Self)] =
        &[("INGEST_HTTP_URL", Self::Ingest), ("BFF_HTTP_URL", Self::Bff)];

    /// What `up` sets on a machine of one's own unless the caller set it.
    pub const LOCAL_DEFAULTS: &'static [(&'static str, &'static str)] = &[
        ("LOG_FORMAT", "text"),
        ("PASSWORD_RULES", "demo"),
        // Nothing is in front of them that would have to notice.
        ("SHUTDOWN_DELAY_SECONDS", "0"),
        ("WEBHOOK_ALLOW_LOOPBACK", "true"),
    ];

    /// Secrets that `up` makes up unless the caller set them: base64 of 32 random bytes each.
    pub const SECRETS: &'static [&'static str] =
        &["SERVICE_TOKEN", "SECRETS_KEY", "SANDBOX_STRIPE_WEBHOOK_SECRETS", "SANDBOX_TWILIO_AUTH_TOKEN"];

    const fn facts(self) -> &'static Facts {
        match self {
            Self::Accounts => &ACCOUNTS,
            Self::Billing => &BILLING,
            Self::Distribution => &DISTRIBUTION,
            Self::Notifier => &NOTIFIER,
            Self::Ingest => &INGEST,
            Self::Bff => &BFF,
            Self::Sandbox => &SANDBOX,
        }
    }

    /// As on the command line, in logs and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// For people, in a few words.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        self.facts().purpose
    }

    /// The path worth opening.
    #[must_use]
    pub const fn page(self) -> &'static str {
        self.facts().page
    }

    /// Where it serves HTTP: its own API if it has one, and `/healthz` and `/readyz`.
    #[must_use]
    pub const fn http(self) -> PortSetting {
        self.facts().http
    }

    /// Where it serves gRPC, if it does.
    #[must_use]
    pub const fn grpc(self) -> Option<PortSetting> {
        self.facts().grpc
    }

    /// Where it takes mails, if it does.
    #[must_use]
    pub const fn smtp(self) -> Option<PortSetting> {
        self.facts().smtp
    }

    /// Whether it belongs to a deployment: stand-ins run only when they are named.
    #[must_use]
    pub const fn is_product(self) -> bool {
        !matches!(self, Self::Sandbox)
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
    /// Mails.
    pub smtp: Option<u16>,
}

impl Ports {
    /// Reads a role's ports.
    pub fn read(env: &mut Env, role: Role) -> Self {
        let mut port = |setting: PortSetting| env.or(setting.name, setting.default, setting.help);
        Self { http: port(role.http()), grpc: role.grpc().map(&mut port), smtp: role.smtp().map(&mut port) }
    }
}

/// The address that services listen on.
pub fn listen_address(env: &mut Env) -> IpAddr {
    env.or("LISTEN_ADDRESS", IpAddr::from([127, 0, 0, 1]), "IP address that services listen on; 0.0.0.0 in a container")
}

/// The roles of these names, each once, in the order of starting; no name, or "all": every role of the product.
///
/// # Errors
/// Which name is none of a role.
pub fn roles(names: &[String]) -> Result<Vec<Role>, String> {
    let all = names.is_empty() || names.iter().any(|name| name == "all");
    let wanted = names
        .iter()
        .filter(|name| *name != "all")
        .map(|name| name.parse::<Role>().map_err(|error| format!("\"{name}\" is {error}")))
        .collect::<Result<Vec<_>, _>>()?;
    let runs = |role: &Role| (all && role.is_product()) || wanted.contains(role);
    Ok(Role::ALL.iter().copied().filter(runs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &[&str]) -> Result<Vec<Role>, String> {
        roles(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn roles_by_name_each_once_in_the_order_of_starting() {
        assert_eq!(parse(&["billing", "accounts", "billing"]), Ok(vec![Role::Accounts, Role::Billing]));
        assert!(parse(&["mailer"]).unwrap_err().contains("the roles are accounts"));
    }

    #[test]
    fn the_sandbox_runs_only_when_it_is_named() {
        let all = parse(&[]).expect("all");
        assert_eq!(parse(&["all"]), Ok(all.clone()));
        assert!(all.contains(&Role::Ingest) && !all.contains(&Role::Sandbox));
        assert_eq!(parse(&["all", "sandbox"]).as_deref(), Ok(Role::ALL));
    }
}
