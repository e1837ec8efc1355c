//! The webhook receiver's memory and manners.

mod behaviour;
mod store;
mod verify;

pub(crate) use behaviour::Reaction;
pub use behaviour::{Behaviour, Mode};
pub(crate) use store::{Arrival, Hooks, Refusal};
pub use store::{Counters, IdCounts, Received};
pub use verify::Verdict;
