//! SQL, and nothing else.

pub mod attempts;
pub mod buyers;
pub mod deliveries;
pub mod endpoints;
pub mod messages;
pub mod suppressions;
pub mod wishes;
