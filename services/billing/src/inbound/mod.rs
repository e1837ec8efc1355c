//! What comes in: gRPC calls and events.

mod cards;
mod convert;
pub mod directory_events;
pub mod grpc;
pub mod lead_events;
pub mod ledger_grpc;
mod money;
pub mod payments_grpc;
mod provider;
pub mod usage_events;
pub mod usage_grpc;
pub mod wallet_events;
