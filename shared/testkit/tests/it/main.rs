//! The testkit on real processes.

mod cleanup;
mod databases;
mod nats;
mod postgres;
mod proxy;
mod statements;
