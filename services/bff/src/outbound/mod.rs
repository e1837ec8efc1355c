//! The services behind the API.

pub mod gateway;
pub mod services;
pub mod trails;
