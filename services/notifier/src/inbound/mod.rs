//! What comes in: events and calls.

pub mod convert;
mod endpoint;
mod endpoints;
pub mod events;
pub mod grpc;
pub mod masked;
mod messages_convert;
pub mod messages_grpc;
mod news;
