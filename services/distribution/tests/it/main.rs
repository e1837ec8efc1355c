//! Distribution on a real PostgreSQL and a real nats-server.

mod commands;
mod decisions;
mod faults;
mod later;
mod races;
mod service;
mod statements;
mod support;
