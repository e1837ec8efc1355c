//! What comes in: gRPC calls and events.

mod convert;
pub mod directory_events;
pub mod grpc;
pub mod lead_events;
#[allow(dead_code, reason = "called by the service Payments, which comes with the calls about cards")]
mod money;
pub mod usage_events;
pub mod usage_grpc;
pub mod wallet_events;
