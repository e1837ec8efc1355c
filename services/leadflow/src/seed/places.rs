//! Where the running services are.

use leadflow_platform::{Env, grpc::ServiceToken, settings};

/// Addresses of everything that a tenant is made with, and the secret to show there.
#[derive(Debug, Clone)]
pub struct Places {
    /// gRPC of accounts.
    pub accounts: String,
    /// gRPC of billing.
    pub billing: String,
    /// gRPC of distribution.
    pub distribution: String,
    /// gRPC of notifier.
    pub notifier: String,
    /// HTTP of the ingest gateway, without a slash at the end.
    pub ingest: String,
    /// HTTP of the sandbox, without a slash at the end.
    pub sandbox: String,
    /// What services show each other.
    pub token: ServiceToken,
}

impl Places {
    /// Reads them; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let mut grpc = |name, default: &str, help| env.or(name, default.to_owned(), help);
        let accounts = grpc("ACCOUNTS_GRPC_URL", "http://127.0.0.1:9101", "gRPC address of accounts");
        let billing = grpc("BILLING_GRPC_URL", "http://127.0.0.1:9102", "gRPC address of billing");
        let distribution = grpc("DISTRIBUTION_GRPC_URL", "http://127.0.0.1:9103", "gRPC address of distribution");
        let notifier = grpc("NOTIFIER_GRPC_URL", "http://127.0.0.1:9104", "gRPC address of notifier");
        let ingest = env.or("INGEST_HTTP_PORT", 8080_u16, "port that suppliers post to");
        let sandbox = env.or("SANDBOX_HTTP_PORT", 8090_u16, "port of the sandbox's page and receivers");
        Self {
            accounts,
            billing,
            distribution,
            notifier,
            ingest: format!("http://127.0.0.1:{ingest}"),
            sandbox: format!("http://127.0.0.1:{sandbox}"),
            token: settings::service_token(env),
        }
    }
}
