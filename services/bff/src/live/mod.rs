//! The live feed: what happens in a tenant, told to whoever of it listens.
//!
//! Nothing is kept. A replica hears the events as they pass, and only while somebody listens; each is decoded once
//! and given to those of its tenant who may know it. Who cannot be told something, because he reads too slowly or because
//! the connection to NATS was away, is told to load again what he shows.

mod decode;
mod event;
mod hub;
mod queue;
mod stream;
mod worker;

pub(crate) use event::Happening;
pub use hub::{Full, Listener, Live, LiveSettings, Party};
pub use worker::run;
