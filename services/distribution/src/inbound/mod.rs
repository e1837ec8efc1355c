//! What reaches distribution: commands over gRPC, and events.

mod convert;
pub mod directory_events;
pub mod grpc;
pub mod lead_events;
pub mod wallet_events;
