//! Loops, each with a step that does the work.

pub mod messages;
pub mod recorder;
pub mod retries;
pub mod summaries;
