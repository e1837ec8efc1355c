//! LeadFlow as a whole: real processes of every role, real PostgreSQL and NATS, the public HTTP API
//! in front, the book checker behind.

mod alerts;
mod backup;
mod cards;
mod chaos;
mod client;
mod collector;
mod logs;
mod metrics;
mod operator;
mod races;
mod recovery;
mod rolling;
mod story;
mod traces;
mod traffic;
mod upgrade;
mod waiting;
mod world;
