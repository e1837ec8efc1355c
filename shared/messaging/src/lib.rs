//! Messages between services over NATS JetStream: the only crate that knows async-nats.
//!
//! - [`Bus`]: the connection, publishing with acknowledgement, core (unstored) messages.
//! - [`GroupCommitPublisher`]: events of many callers at once, stored and synced together.
//! - [`topology`]: the streams and durable consumers, declared once, created, read back, compared.
//! - [`outbox`]: events written in the transaction that makes them true, published after it commits.
//! - [`inbox`]: events recorded in the transaction of their effect, so a repeat has none.
//! - [`consumer`]: the batch loop of a durable consumer, with retries and a dead-letter path.
//! - [`janitor`]: streams trimmed of what all their consumers have acknowledged.
//! - [`copy`]: streams as they are, for backups.
//! - [`directory`]: the current state of all records, loaded and then followed.
//! - [`progress`]: how far a consumer is, and what is stored.
//! - [`measure`]: what is measured of consumers and streams.
//! - [`listener`]: events as they pass, for whoever listens at the moment.
//! - [`trace`]: W3C trace context through all of it.

mod bundle;
mod bus;
mod chain;
pub mod consumer;
pub mod copy;
pub mod directory;
pub mod dlq;
mod envelope;
pub mod group_commit;
mod headers;
pub mod inbox;
pub mod janitor;
pub mod listener;
pub mod measure;
pub mod outbox;
pub mod progress;
pub mod tail;
pub mod topology;
pub mod trace;

pub use bus::{Bus, BusError, BusSettings, CoreMessages};
pub use envelope::{Envelope, Message};
pub use group_commit::{GroupCommitPublisher, GroupCommitSettings, PublishError};
