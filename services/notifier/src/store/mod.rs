//! SQL, and nothing else.

pub mod attempts;
pub mod buyers;
pub mod callbacks;
pub mod claims;
pub mod dead_addresses;
pub mod deliveries;
pub mod endpoints;
pub mod health;
pub mod masking;
pub mod message_leases;
pub mod message_log;
pub mod messages;
pub mod months;
pub mod old_mails;
pub mod preferences;
pub mod refusals;
pub mod replay;
pub mod sealed;
pub mod summaries;
pub mod suppressions;
pub mod wishes;
