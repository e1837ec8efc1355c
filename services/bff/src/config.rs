//! Settings.

use std::time::Duration;

use leadflow_platform::{Env, grpc::ServiceToken, settings};
use url::Url;

use crate::live::LiveSettings;

/// What the edge of front ends needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The secret it shows the services.
    pub token: ServiceToken,
    /// accounts' gRPC address or addresses, comma-separated; so the others.
    pub accounts_url: String,
    /// billing's.
    pub billing_url: String,
    /// distribution's.
    pub distribution_url: String,
    /// notifier's.
    pub notifier_url: String,
    /// The ingest gateway's HTTP addresses, comma-separated.
    pub ingest_url: String,
    /// Where front ends find it: its origin may send, and `https` makes cookies `Secure`.
    pub public_url: String,
    /// Further origins whose pages may call, with cookies.
    pub cors_origins: Vec<String>,
    /// How many of our own proxies stand in front, each adding to `X-Forwarded-For`.
    pub trusted_proxies: usize,
    /// The most bytes a body may have.
    pub max_body_bytes: usize,
    /// A whole body must have arrived within this.
    pub body_timeout: Duration,
    /// The longest one call of a service may take.
    pub call_timeout: Duration,
    /// Connections open at once; more wait.
    pub max_connections: usize,
    /// Where events pass.
    pub nats_url: String,
    /// Listeners to what happens.
    pub live: LiveSettings,
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let mut grpc = |name, default: &str, help| env.or(name, default.to_owned(), help);
        let (accounts_url, billing_url, distribution_url, notifier_url) = (
            grpc(
                "ACCOUNTS_GRPC_URL",
                "http://127.0.0.1:9101",
                "gRPC address or addresses of accounts, comma-separated",
            ),
            grpc("BILLING_GRPC_URL", "http://127.0.0.1:9102", "gRPC address or addresses of billing, comma-separated"),
            grpc(
                "DISTRIBUTION_GRPC_URL",
                "http://127.0.0.1:9103",
                "gRPC address or addresses of distribution, comma-separated",
            ),
            grpc(
                "NOTIFIER_GRPC_URL",
                "http://127.0.0.1:9104",
                "gRPC address or addresses of notifier, comma-separated",
            ),
        );
        let config = Self {
            token: settings::service_token(env),
            accounts_url,
            billing_url,
            distribution_url,
            notifier_url,
            ingest_url: env.or(
                "INGEST_HTTP_URL",
                "http://127.0.0.1:8080".to_owned(),
                "HTTP address or addresses of the ingest gateway, comma-separated",
            ),
            public_url: settings::public_url(env),
            cors_origins: env
                .optional(
                    "BFF_CORS_ORIGINS",
                    "further origins whose pages may call with cookies, comma-separated, e.g. https://app.example.com",
                )
                .map(|list: String| list.split(',').map(|origin| origin.trim().to_owned()).collect())
                .unwrap_or_default(),
            trusted_proxies: env.or(
                "BFF_TRUSTED_PROXIES",
                0,
                "how many own proxies stand in front and add to X-Forwarded-For; 0: the header is not believed",
            ),
            max_body_bytes: env.or("BFF_MAX_BODY_BYTES", 256 * 1024, "the most bytes a request's body may have"),
            body_timeout: settings::millis(
                env,
                "BFF_BODY_TIMEOUT_MS",
                10_000,
                "milliseconds a request's body may take to arrive",
            ),
            call_timeout: settings::millis(
                env,
                "BFF_CALL_TIMEOUT_MS",
                3_000,
                "milliseconds one call of a service may take",
            ),
            max_connections: env.or("BFF_MAX_CONNECTIONS", 10_000, "connections of front ends open at once; more wait"),
            nats_url: settings::nats_url(env),
            live: LiveSettings {
                most: env.or(
                    "BFF_STREAMS",
                    2_000,
                    "live feeds open at once at each replica; more are refused with 503",
                ),
                most_per_user: env.or(
                    "BFF_STREAMS_PER_USER",
                    8,
                    "live feeds of one user at each replica; more are refused with 429",
                ),
                heartbeat: settings::millis(
                    env,
                    "BFF_HEARTBEAT_MS",
                    15_000,
                    "milliseconds of silence after which a live feed shows that it lives",
                ),
                session_check: settings::millis(
                    env,
                    "BFF_SESSION_CHECK_MS",
                    10_000,
                    "milliseconds within which a live feed ends when its session has ended",
                ),
            },
        };
        if Url::parse(&config.public_url).ok().is_none_or(|url| !url.origin().is_tuple()) {
            env.problem("BFF_PUBLIC_URL must be an http or https URL such as https://app.example.com");
        }
        for origin in &config.cors_origins {
            // Exactly as browsers write it, or it would never match.
            if !Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin) {
                env.problem("BFF_CORS_ORIGINS must be origins such as https://app.example.com, without a path");
            }
        }
        if config.max_body_bytes < 1_024 || config.max_connections == 0 {
            env.problem("BFF_MAX_BODY_BYTES must be at least 1024 and BFF_MAX_CONNECTIONS at least 1");
        }
        if config.live.most >= config.max_connections {
            env.problem("BFF_STREAMS must be less than BFF_MAX_CONNECTIONS: other requests need some, too");
        }
        if config.live.heartbeat.is_zero() || config.live.session_check.is_zero() {
            env.problem("BFF_HEARTBEAT_MS and BFF_SESSION_CHECK_MS must be at least 1");
        }
        config
    }

    /// The origins whose pages may send: the public URL's first.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let own = Url::parse(&self.public_url).ok().map(|url| url.origin().ascii_serialization());
        own.into_iter().chain(self.cors_origins.iter().cloned()).collect()
    }

    /// Whether front ends come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}
