//! What billing tells and asks others.

pub mod assignments;
pub mod events;
mod not_configured;
pub mod provider;
pub mod records;
pub mod stripe;

pub use not_configured::NotConfigured;
