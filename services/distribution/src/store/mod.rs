//! SQL, and nothing else. Every function takes the connection of the caller's transaction.

pub mod catalogue;
pub mod columns;
pub mod configuration;
pub mod decisions;
pub mod erasures;
pub mod leads;
pub mod masking;
pub mod months;
pub mod projections;
pub mod records;
pub mod retention;
pub mod retry;
pub mod returns;
pub mod routing;
pub mod sale_later;
pub mod save;
pub mod show;
pub mod view;
