//! What goes out: requests to receivers, mails to people, and events.

pub mod dispatcher;
pub mod events;
pub mod mail;
pub mod webhook;
