//! What billing tells and asks others.

pub mod assignments;
pub mod events;
pub mod provider;
