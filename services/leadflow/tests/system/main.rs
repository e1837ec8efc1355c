//! LeadFlow as a whole: real processes of every role, real PostgreSQL and NATS, the public HTTP API
//! in front, the book checker behind.

mod cards;
mod chaos;
mod client;
mod metrics;
mod operator;
mod races;
mod story;
mod traces;
mod waiting;
mod world;
