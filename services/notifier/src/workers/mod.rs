//! Loops, each with a step that does the work.

pub mod mailer;
pub mod recorder;
pub mod retries;
