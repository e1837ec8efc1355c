//! What goes out: requests to receivers, and events.

pub mod dispatcher;
pub mod events;
pub mod webhook;
