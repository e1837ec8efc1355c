//! What billing does by itself.

pub mod provider_events;
pub mod recharge;
pub mod reconcile;
pub mod release;
pub mod settle;
pub mod usage;
