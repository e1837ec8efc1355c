//! What billing does by itself.

pub mod recharge;
pub mod release;
pub mod settle;
pub mod usage;
