//! Tests on real PostgreSQL and NATS.

mod audit;
mod captures;
mod confirm;
mod credits;
mod directory;
mod events;
mod export;
mod holds;
mod ledger;
mod ledger_parts;
mod limits;
mod payments;
mod releases;
mod returns;
mod service;
mod statements;
mod stripe;
mod support;
mod tenancy;
mod tenants;
mod usage;
mod usage_currencies;
mod usage_posting;
