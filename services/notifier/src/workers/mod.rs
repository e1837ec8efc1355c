//! Loops, each with a step that does the work.

pub mod masking;
pub mod messages;
pub mod months;
pub mod recorder;
pub mod retries;
pub mod summaries;
