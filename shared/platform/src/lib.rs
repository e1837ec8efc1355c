//! The chassis of every service: settings, logs and traces, health, HTTP and gRPC servers, the
//! database pool, shutdown. No business rules, and no statics: listeners and settings are passed in,
//! so that all services can live in one process and tests can start and stop any of them.

pub mod audit;
pub mod config;
pub mod db;
pub mod grpc;
pub mod health;
pub mod http;
pub mod metrics;
pub mod settings;
pub mod shutdown;
pub mod telemetry;

pub use config::{ConfigError, Env, Setting};
pub use health::Health;
pub use http::ApiError;
pub use shutdown::Shutdown;
