//! Settings.

use std::time::Duration;

use leadflow_platform::{Env, grpc::ServiceToken, settings};

/// What the gateway needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The secret it shows distribution.
    pub token: ServiceToken,
    /// distribution's gRPC address or addresses, comma-separated.
    pub distribution_url: String,
    /// What `statusUrl` begins with; empty: it is a path without a host.
    pub public_url: String,
    /// The most bytes a body may have.
    pub max_body_bytes: usize,
    /// A whole body must have arrived within this.
    pub body_timeout: Duration,
    /// A request's head must have arrived within this.
    pub header_timeout: Duration,
    /// The longest an answer waits for the decision, from when the post is all here.
    pub decision_wait: Duration,
    /// The longest the stream may take to acknowledge a lead.
    pub ack_timeout: Duration,
    /// The longest a look-up at distribution may take.
    pub lookup_timeout: Duration,
    /// Posts a second of a supplier whose record names no number.
    pub supplier_posts_per_second: u32,
    /// Posts a second of all suppliers of a seller whose record names no number.
    pub seller_posts_per_second: u32,
    /// Requests a second of one address whose key is not known.
    pub unknown_keys_per_second: u32,
    /// How many of our own proxies stand in front, each adding to `X-Forwarded-For`.
    pub trusted_proxies: usize,
    /// Posts being worked on at once, from when they are all here; more are answered 503.
    pub max_in_flight: usize,
    /// Connections open at once; more wait.
    pub max_connections: usize,
}

impl Config {
    /// Bodies of one supplier on their way here at once; more are answered 429.
    #[must_use]
    pub const fn bodies_of_a_supplier(&self) -> usize {
        if self.max_in_flight < 4 { 1 } else { self.max_in_flight / 4 }
    }

    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let config = Self {
            token: settings::service_token(env),
            distribution_url: env.or(
                "DISTRIBUTION_GRPC_URL",
                "http://127.0.0.1:9103".to_owned(),
                "gRPC address of distribution, or several, comma-separated",
            ),
            public_url: env
                .optional(
                    "INGEST_PUBLIC_URL",
                    "what statusUrl begins with, e.g. https://leads.example.com; none: a path",
                )
                .map(|url: String| url.trim_end_matches('/').to_owned())
                .unwrap_or_default(),
            max_body_bytes: env.or("INGEST_MAX_BODY_BYTES", 64 * 1024, "the most bytes a post's body may have"),
            body_timeout: settings::millis(
                env,
                "INGEST_BODY_TIMEOUT_MS",
                10_000,
                "milliseconds a body may take to arrive",
            ),
            header_timeout: settings::millis(
                env,
                "INGEST_HEADER_TIMEOUT_MS",
                10_000,
                "milliseconds a request's head may take to arrive",
            ),
            decision_wait: settings::millis(
                env,
                "INGEST_DECISION_WAIT_MS",
                2_000,
                "milliseconds an answer waits for the decision at most",
            ),
            ack_timeout: settings::millis(
                env,
                "INGEST_ACK_TIMEOUT_MS",
                2_000,
                "milliseconds the stream may take to acknowledge a lead",
            ),
            lookup_timeout: settings::millis(
                env,
                "INGEST_LOOKUP_TIMEOUT_MS",
                1_000,
                "milliseconds a look-up at distribution may take",
            ),
            supplier_posts_per_second: env.or(
                "INGEST_SUPPLIER_POSTS_PER_SECOND",
                500,
                "posts a second of one supplier, unless its record says otherwise",
            ),
            seller_posts_per_second: env.or(
                "INGEST_SELLER_POSTS_PER_SECOND",
                2_000,
                "posts a second of all suppliers of one seller, unless its record says otherwise",
            ),
            unknown_keys_per_second: env.or(
                "INGEST_UNKNOWN_KEYS_PER_SECOND",
                100,
                "requests a second of one address whose API key is not known",
            ),
            trusted_proxies: env.or(
                "INGEST_TRUSTED_PROXIES",
                0,
                "how many own proxies stand in front and add to X-Forwarded-For; 0: the header is not believed",
            ),
            max_in_flight: env.or(
                "INGEST_MAX_IN_FLIGHT",
                4_096,
                "posts being worked on at once; more are answered 503",
            ),
            max_connections: env.or("INGEST_MAX_CONNECTIONS", 10_000, "connections open at once; more wait"),
        };
        // Both forms of every value travel in one message, which the stream bounds at 1 MiB.
        if !(1_024..=256 * 1024).contains(&config.max_body_bytes) {
            env.problem("INGEST_MAX_BODY_BYTES must be between 1024 and 262144");
        }
        for (name, value) in [
            ("INGEST_SUPPLIER_POSTS_PER_SECOND", config.supplier_posts_per_second as usize),
            ("INGEST_SELLER_POSTS_PER_SECOND", config.seller_posts_per_second as usize),
            ("INGEST_UNKNOWN_KEYS_PER_SECOND", config.unknown_keys_per_second as usize),
            ("INGEST_MAX_IN_FLIGHT", config.max_in_flight),
            ("INGEST_MAX_CONNECTIONS", config.max_connections),
        ] {
            if value == 0 {
                env.problem(format!("{name} must be at least 1"));
            }
        }
        config
    }
}
