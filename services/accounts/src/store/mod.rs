//! SQL on the schema `accounts`, and nothing else.
//!
//! Statements name the columns that they read. One that reads whole rows (`SELECT *`) fails on every connection that has it prepared as soon as the
//! next release gives its table another column.

pub mod allowances;
pub mod api_keys;
pub mod buyers;
pub mod cleanup;
mod columns;
pub mod contacts;
pub mod google;
pub mod invitations;
pub mod invites;
pub mod sellers;
pub mod sessions;
pub mod suppliers;
pub mod tenants;
pub mod tokens;
pub mod users;
