//! The service as a whole on real PostgreSQL and NATS: called over gRPC, read in its tables and on
//! its stream.

mod api_keys;
mod events;
mod isolation;
mod outages;
mod races;
mod records;
mod refusals;
mod world;
