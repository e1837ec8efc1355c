//! HTTP at the edges: the server, the request's id, and the one form of error answers.

mod body;
mod caller;
mod error;
mod rate_limit;
mod request_id;
mod server;

pub use body::read_body;
pub use caller::caller_address;
pub use error::ApiError;
pub use rate_limit::RateLimitState;
pub use request_id::{RequestId, fallbacks, layer as request_id, tags};
pub use server::{ServerLimits, serve, serve_with};
