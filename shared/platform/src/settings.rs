//! Settings that every service reads the same way.

use std::time::Duration;

use crate::{Env, db::DbSettings, grpc::ServiceToken};

/// The database of one service: `<SERVICE>_DATABASE_URL`, else `DATABASE_URL`.
pub fn database(env: &mut Env, own: &'static str, role: &'static str, application: &'static str) -> DbSettings {
    let specific = env.optional_secret(own, "PostgreSQL URL of this service alone, instead of DATABASE_URL");
    let url = match specific {
        Some(url) => url,
        None => env.required_secret("DATABASE_URL", "PostgreSQL URL, e.g. postgres://user:password@host:5432/leadflow"),
    };
    let max_connections = env.or("DATABASE_MAX_CONNECTIONS", 16_u32, "connections each service keeps at most");
    DbSettings { url, role: Some(role), application, max_connections }
}

/// The URL of NATS.
pub fn nats_url(env: &mut Env) -> String {
    env.or("NATS_URL", "nats://127.0.0.1:4222".to_owned(), "NATS server or servers, comma-separated")
}

/// The secret that services show each other.
pub fn service_token(env: &mut Env) -> ServiceToken {
    let text = env.required_secret(
        "SERVICE_TOKEN",
        "shared secret of the services, at least 16 characters; several, comma-separated, while one replaces another: \
         the first is shown, all are accepted",
    );
    let token = ServiceToken::new(&text);
    if !text.is_empty() && token.shortest() < 16 {
        env.problem("SERVICE_TOKEN is too short: at least 16 characters");
    }
    token
}

/// Where front ends, and providers that call back, find the API.
pub fn public_url(env: &mut Env) -> String {
    env.or(
        "BFF_PUBLIC_URL",
        "http://localhost:3000".to_owned(),
        "where front ends, and providers that call back, find the API; https makes session cookies Secure",
    )
}

/// Whole milliseconds from a setting, as a duration.
pub fn millis(env: &mut Env, name: &'static str, default: u64, help: &'static str) -> Duration {
    Duration::from_millis(env.or(name, default, help))
}

/// Whole seconds from a setting, as a duration.
pub fn seconds(env: &mut Env, name: &'static str, default: u64, help: &'static str) -> Duration {
    Duration::from_secs(env.or(name, default, help))
}
