//! What is told to others.

pub mod events;
pub mod google;
pub mod mail;
