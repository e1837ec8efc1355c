//! What billing does by itself.

pub mod release;
