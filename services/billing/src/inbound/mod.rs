//! What comes in: gRPC calls and events.

mod convert;
pub mod directory_events;
pub mod grpc;
pub mod lead_events;
