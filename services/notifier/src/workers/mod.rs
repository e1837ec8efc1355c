//! Loops, each with a step that does the work.

pub mod housekeeping;
pub mod recorder;
pub mod retries;
