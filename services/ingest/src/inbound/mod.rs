//! Who calls the gateway: suppliers over HTTP, the directory and distribution over NATS.

mod core;
pub mod decisions;
pub mod directory;
pub mod http;
pub mod taken;
