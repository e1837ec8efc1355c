//! What distribution calls, and what it tells.

pub mod billing;
pub mod directory;
