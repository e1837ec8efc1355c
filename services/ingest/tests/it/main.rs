//! The gateway over HTTP, with a real nats-server and a distribution of the test's own.

mod answers;
mod callers;
mod client;
mod fake;
mod hostile;
mod idempotency;
mod large;
mod limits;
mod logs;
mod looking_up;
mod outages;
mod world;
