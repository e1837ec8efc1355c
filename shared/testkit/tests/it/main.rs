//! The testkit on real processes.

mod balancer;
mod cleanup;
mod databases;
mod nats;
mod postgres;
mod proxy;
mod statements;
