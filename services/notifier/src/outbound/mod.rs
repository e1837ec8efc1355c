//! What goes out: requests to receivers, messages to people, and events.

pub mod carrier;
pub mod dispatcher;
pub mod email;
pub mod events;
mod lines;
pub mod numbers;
pub mod sms;
pub mod webhook;
