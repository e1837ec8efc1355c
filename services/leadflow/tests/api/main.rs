//! The public HTTP API as front ends use it, through the whole system: real processes of every role,
//! real PostgreSQL and NATS behind.

mod auth;
mod client;
mod errors;
mod feed;
mod live;
mod mails;
mod matrix;
mod story;
mod world;
