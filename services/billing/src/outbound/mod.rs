//! What billing tells and asks others.

pub mod assignments;
pub mod events;
pub(crate) mod measured;
mod not_configured;
pub mod provider;
pub mod records;
pub mod stripe;

pub use not_configured::NotConfigured;
