//! What is done again and again.

pub mod cleanup;
pub mod contacts;
