//! How leads are routed: who may have a lead, in which order, and why. Pure: no I/O, clock or
//! randomness, so that every rule here is tested by trying many inputs.
//!
//! [`Batch`] decides many leads of one campaign at once while somebody else says whether the money
//! is there; [`explain`] puts a decision into sentences; [`duplicates`] says which leads are about
//! the same person; [`configure`] and [`orphans`] judge what sellers and buyers ask to be set up, [`ask`] what may be
//! asked for at once, [`returns`] which sales may be undone, [`person`] who somebody is without knowing him.

pub mod ask;
mod batch;
pub mod configure;
mod day;
pub mod duplicates;
mod eligibility;
mod evaluation;
mod explain;
mod model;
pub mod orphans;
pub mod person;
mod rank;
pub mod returns;
mod state;
mod trace;

pub use batch::{Answer, Batch, Decided, LeadResult, ProtocolError, Want};
pub use day::{day_in, days, month_of, next_midnight, time_zone};
pub use explain::{explain, undone};
pub use model::{Campaign, Candidate, Lead, Logic, Rotation, Rotations, Status, WRR_ONE};
pub use state::{State, StateSet};
pub use trace::{CandidateTrace, MAX_DETAILED, Trace, Verdict};
