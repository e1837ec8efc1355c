//! What reaches distribution: commands and questions over gRPC, and events.

mod answers;
mod asked;
pub mod catalogue;
mod convert;
pub mod directory_events;
pub mod grpc;
pub mod lead_events;
pub mod privacy;
pub mod refusals;
pub mod returns;
pub mod wallet_events;
