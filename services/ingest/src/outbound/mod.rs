//! Whom the gateway calls.

pub mod decisions;
pub mod publisher;
pub mod taken;
