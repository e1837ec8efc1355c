//! The rules of delivering: what is sent, how it is signed, what an answer means, when to try again
//! and when to stop. Pure: time and chance are arguments.

mod health;
mod mail;
mod messages;
mod outcome;
mod payload;
mod schedule;
mod signature;

pub use health::{DISABLE_AFTER, DisableReason, Health, HealthChange};
pub use mail::{Letter, MailKind, compose};
pub use messages::{Channel, MESSAGE_RETRY_AFTER_CAP, MessageKind, Pace, Wishes, message_pause};
pub use outcome::{Outcome, Reply, classify, parse_retry_after};
pub use payload::{LeadAssigned, PayloadError, payload};
pub use schedule::{MAX_ATTEMPTS, RETRY_AFTER_CAP, STEPS, TIMEOUT_PAUSE, Trouble, pause_after};
pub use signature::{Secret, SecretError};
