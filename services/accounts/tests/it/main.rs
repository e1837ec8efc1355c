//! The service as a whole on real PostgreSQL and NATS: called over gRPC, read in its tables and on
//! its stream.

mod added_buyers;
mod admission;
mod api_keys;
mod audit;
mod browser;
mod contacts;
mod events;
mod google;
mod google_accounts;
mod google_races;
mod invites;
mod isolation;
mod outages;
mod passwords;
mod people_races;
mod races;
mod records;
mod refusals;
mod registration;
mod sessions;
mod sign_in;
mod someone;
mod suppliers;
mod team;
mod tenancy;
mod tenants;
mod world;
