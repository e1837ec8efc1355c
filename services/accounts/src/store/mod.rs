//! SQL on the schema `accounts`, and nothing else.

pub mod api_keys;
pub mod buyers;
mod columns;
pub mod sellers;
pub mod suppliers;
